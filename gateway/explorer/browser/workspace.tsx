import './editor.ts';
import { useEffect, useMemo, useState, useSyncExternalStore } from 'react';
import { readSchemaMap } from '../schema-map.ts';
import type { SignedIn } from './app.tsx';
import { Changes } from './changes.tsx';
import { shortened } from './credentials.ts';
import { Brand, ThemeToggle } from './parts.tsx';
import { Requests } from './requests.tsx';
import { Runs } from './runs.ts';
import { SchemaPicture } from './schema-picture.tsx';
import type { useTheme } from './theme.ts';

export interface WorkspaceProps {
  readonly signedIn: SignedIn;
  readonly appearance: ReturnType<typeof useTheme>;
  readonly signOut: () => void;
  /** The gateway no longer takes the credentials. */
  readonly onSignedOut: () => void;
}

const views = { requests: 'Requests', schema: 'Schema', changes: 'Changes' } as const;
type View = keyof typeof views;

const viewOf = (hash: string): View => {
  const name = hash.slice(1).split('/', 1)[0]!;
  return name in views ? (name as View) : 'requests';
};

export function Workspace({ signedIn, appearance, signOut, onSignedOut }: WorkspaceProps) {
  const { session, schema } = signedIn;
  const { title = '' } = document.body.dataset;
  const [view, setView] = useState<View>(() => viewOf(location.hash));
  const [selected, setSelected] = useState<string | null>(null);
  const map = useMemo(() => readSchemaMap(schema), [schema]);
  const runs = useMemo(() => new Runs(), []);
  useEffect(() => {
    const follow = (): void => setView(viewOf(location.hash));
    addEventListener('hashchange', follow);
    return () => removeEventListener('hashchange', follow);
  }, []);
  const shown = Object.entries(views).filter(
    ([name]) => name !== 'changes' || session.releases.length > 0,
  ) as [View, string][];

  return (
    <div className="workspace">
      <a className="skip" href={`#${view}/content`} onClick={skipTo(view)}>
        Skip to the content
      </a>
      <header className="bar">
        <Brand title={title} />
        <nav aria-label="Views">
          {shown.map(([name, label]) => (
            <a key={name} href={`#${name}`} aria-current={view === name ? 'page' : undefined}>
              {label}
            </a>
          ))}
        </nav>
        <Spending runs={runs} budget={session.budget} />
        <p className="who" title={`Scopes: ${session.scopes.join(', ') || 'none'}`}>
          <span>{session.contract === null ? 'whole API' : `contract “${session.contract}”`}</span>
          <span>{shortened(signedIn.credentials)}</span>
        </p>
        <ThemeToggle {...appearance} />
        <button type="button" onClick={signOut}>
          Sign out
        </button>
      </header>
      <main id="requests-view" hidden={view !== 'requests'} tabIndex={-1} aria-label="Requests">
        <h1 className="unseen">Requests</h1>
        <Requests {...{ signedIn, runs, onSignedOut }} theme={appearance.theme} />
      </main>
      {view === 'schema' && (
        <main id="schema-view" tabIndex={-1} aria-label="Schema">
          <SchemaPicture {...{ map, selected }} select={setSelected} />
        </main>
      )}
      {view === 'changes' && (
        <main id="changes-view" tabIndex={-1} aria-label="Changes">
          <Changes
            releases={session.releases}
            knows={(type) => map.has(type)}
            open={(type) => {
              setSelected(type);
              location.hash = '#schema';
            }}
          />
        </main>
      )}
    </div>
  );
}

const skipTo =
  (view: View) =>
  (event: { preventDefault: () => void }): void => {
    event.preventDefault();
    document.getElementById(`${view}-view`)?.focus();
  };

/** What this page has spent in a minute, against what the key may. */
function Spending({ runs, budget }: { runs: Runs; budget: SignedIn['session']['budget'] }) {
  const { spent } = useSyncExternalStore(runs.subscribe, runs.log);
  const limit = budget?.costPerMinute ?? 0;
  const written = spent.toLocaleString('en');
  return (
    <p className="spending" title="Cost of this page's requests within the last minute">
      <span>
        Cost, last minute: <b>{limit > 0 ? `${written} of ${limit.toLocaleString('en')}` : written}</b>
      </span>
      {limit > 0 && <meter min={0} max={limit} high={limit * 0.8} value={spent} aria-label="Budget spent" />}
    </p>
  );
}
