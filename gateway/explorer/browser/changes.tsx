import { useState } from 'react';
import type { ContractChange, ContractRelease } from '../session.ts';

const kinds: Record<ContractChange['kind'], string> = {
  ADDED: 'added',
  REMOVED: 'removed',
  CHANGED: 'changed',
  DEPRECATED: 'deprecated',
};

interface Links {
  readonly knows: (type: string) => boolean;
  readonly open: (type: string) => void;
}

export function Changes({ releases, ...links }: { releases: readonly ContractRelease[] } & Links) {
  const [onlyBreaking, setOnlyBreaking] = useState(false);
  return (
    <div className="changes">
      <header>
        <h1>What changed</h1>
        <label>
          <input
            type="checkbox"
            checked={onlyBreaking}
            onChange={(event) => setOnlyBreaking(event.target.checked)}
          />
          Only what may break programs
        </label>
      </header>
      <ol className="releases">
        {releases.map((release) => (
          <Release key={`${release.date} ${release.note}`} {...{ release, onlyBreaking, links }} />
        ))}
      </ol>
    </div>
  );
}

function Release({
  release: { date, note, changes },
  onlyBreaking,
  links,
}: {
  release: ContractRelease;
  onlyBreaking: boolean;
  links: Links;
}) {
  const breaking = changes.filter((change) => change.breaking);
  const shown = onlyBreaking ? breaking : changes;
  const written = new Date(`${date}T00:00:00Z`).toLocaleDateString('en-GB', {
    dateStyle: 'long',
    timeZone: 'UTC',
  });
  return (
    <li>
      <article>
        <header>
          <h2>
            <time dateTime={date}>{written}</time>
          </h2>
          <span className={breaking.length > 0 ? 'badge breaking' : 'badge'}>
            {breaking.length > 0 ? `${breaking.length} breaking` : 'nothing breaks'}
          </span>
          <span className="badge">
            {changes.length} {changes.length === 1 ? 'change' : 'changes'}
          </span>
        </header>
        <p>{note}</p>
        {shown.length === 0 && <p className="hint">Nothing in this release breaks a program.</p>}
        <ul>
          {shown.map((change) => (
            <li key={`${change.kind} ${change.what}`} className={change.kind.toLowerCase()}>
              <span className="kind">{kinds[change.kind]}</span>
              <Coordinate what={change.what} {...links} />
              {change.breaking && <span className="badge breaking">breaking</span>}
              {change.detail !== null && <span className="detail">{change.detail}</span>}
            </li>
          ))}
        </ul>
      </article>
    </li>
  );
}

function Coordinate({ what, knows, open }: { what: string } & Links) {
  const type = /^\w+/.exec(what)?.[0] ?? '';
  if (!knows(type)) return <code>{what}</code>;
  return (
    <button type="button" className="link" onClick={() => open(type)}>
      <code>{what}</code>
    </button>
  );
}
