import { useState } from 'react';
import type { MapArgument, MapKind, MapType, SchemaMap } from '../schema-map.ts';
import { Prose } from './parts.tsx';

const kinds: readonly (readonly [MapKind, string])[] = [
  ['object', 'Types'],
  ['interface', 'Interfaces'],
  ['union', 'Unions'],
  ['input', 'Inputs'],
  ['enum', 'Enums'],
];

/** Every type by its name. */
export function TypeFinder({
  map,
  current,
  select,
}: {
  map: SchemaMap;
  current: string | null;
  select: (name: string) => void;
}) {
  const [sought, setSought] = useState('');
  const fits = ({ name, fields }: MapType): boolean => {
    const text = sought.trim().toLowerCase();
    return name.toLowerCase().includes(text) || fields.some((field) => field.name.toLowerCase() === text);
  };
  const found = [...map.values()]
    .filter(fits)
    .toSorted(
      (one, other) => Number(other.isRoot) - Number(one.isRoot) || one.name.localeCompare(other.name),
    );
  return (
    <nav className="finder" aria-label="Types">
      <input
        type="search"
        placeholder="Type or field"
        aria-label="Find a type or a field"
        value={sought}
        onChange={(event) => setSought(event.target.value)}
      />
      <div className="lists">
        {kinds.map(([kind, title]) => {
          const members = found.filter((type) => type.kind === kind);
          return members.length === 0 ? null : (
            <section key={kind}>
              <p>
                {title} <span>{members.length}</span>
              </p>
              <ul aria-label={title}>
                {members.map(({ name }) => (
                  <li key={name}>
                    <button
                      type="button"
                      aria-current={name === current ? 'true' : undefined}
                      onClick={() => select(name)}
                    >
                      {name}
                    </button>
                  </li>
                ))}
              </ul>
            </section>
          );
        })}
        {found.length === 0 && <p className="hint">No type or field of this name.</p>}
      </div>
    </nav>
  );
}

interface Linked {
  readonly knows: (name: string) => boolean;
  readonly select: (name: string) => void;
}

export function TypeDetails({ type, ...linked }: { type: MapType } & Linked) {
  const { name, kind, description, fields, usedBy } = type;
  return (
    <aside className="details" aria-label={`About ${name}`} aria-live="polite">
      <p className={`badge ${kind}`}>{kind}</p>
      <h1>{name}</h1>
      <p className="description">{description === null ? 'No description.' : <Prose text={description} />}</p>
      <h2>{kind === 'enum' ? 'Values' : kind === 'union' ? 'One of' : 'Fields'}</h2>
      <dl>
        {fields.map((field) => (
          <div key={field.name}>
            <dt>
              <code>{field.name}</code>
              {kind !== 'union' && field.type !== '' && <TypeLink of={field} {...linked} />}
              {kind === 'union' && <TypeLink of={{ ...field, type: 'open' }} {...linked} />}
            </dt>
            <dd>
              {field.deprecated !== null && <p className="badge breaking">deprecated: {field.deprecated}</p>}
              <Prose text={field.description} />
              {field.arguments.length > 0 && (
                <ul>
                  {field.arguments.map((argument) => (
                    <li key={argument.name}>
                      <code>{argument.name}</code> <TypeLink of={argument} {...linked} />{' '}
                      <Prose text={argument.description} />
                    </li>
                  ))}
                </ul>
              )}
            </dd>
          </div>
        ))}
      </dl>
      {usedBy.length > 0 && (
        <>
          <h2>Used by</h2>
          <ul className="used">
            {usedBy.map((user) => (
              <li key={`${user.type}.${user.field}`}>
                <button type="button" className="link" onClick={() => linked.select(user.type)}>
                  <code>
                    {user.type}.{user.field}
                  </code>
                </button>
              </li>
            ))}
          </ul>
        </>
      )}
    </aside>
  );
}

function TypeLink({ of: { name, type, target }, knows, select }: { of: MapArgument } & Linked) {
  if (target === null || !knows(target)) return <span className="of">{type}</span>;
  return (
    <button
      type="button"
      className="link"
      onClick={() => select(target)}
      aria-label={`${name}: go to ${target}`}
    >
      <code>{type}</code>
    </button>
  );
}
