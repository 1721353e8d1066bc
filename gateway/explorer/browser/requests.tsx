/** GraphiQL with the viewer's schema, ready-made operations, and a footer that tells cost and live events. */
import { DOC_EXPLORER_PLUGIN } from '@graphiql/plugin-doc-explorer';
import { HISTORY_PLUGIN } from '@graphiql/plugin-history';
import { type GraphiQLPlugin, useGraphiQL } from '@graphiql/react';
import { GraphiQL } from 'graphiql';
import { useEffect, useMemo } from 'react';
import type { SignedIn } from './app.tsx';
import { keptCredentials } from './credentials.ts';
import { createFetcher } from './fetcher.ts';
import { ReadyMade } from './ready-made.tsx';
import { RunFooter } from './run-footer.tsx';
import type { Runs } from './runs.ts';
import type { Theme } from './theme.ts';

/** Of side panel to editors, and of an operation to its variables, until the reader drags them. */
const proportions: Readonly<Record<string, string>> = {
  'graphiql:docExplorerFlex': '0.3',
  'graphiql:secondaryEditorFlex': '2.2',
};

/** GraphiQL's own: gone with the tab, like the credentials. */
const drafts = {
  getItem: (name: string) => sessionStorage.getItem(name) ?? proportions[name] ?? null,
  // GraphiQL writes a little later, and by then the reader may have signed out.
  setItem: (name: string, value: string) => {
    if (keptCredentials()) sessionStorage.setItem(name, value);
  },
  removeItem: (name: string) => sessionStorage.removeItem(name),
  clear: () => {
    for (const name of Object.keys(sessionStorage))
      if (name.startsWith('graphiql:')) sessionStorage.removeItem(name);
  },
  get length() {
    return Object.keys(sessionStorage).filter((name) => name.startsWith('graphiql:')).length;
  },
};

const welcome = `# Pick a ready-made operation on the left, or write your own.
# Ctrl+Space completes, Ctrl+Enter runs; the docs are one click away.

{
  __typename
}
`;

export function Requests({
  signedIn: { credentials, session, schema },
  runs,
  theme,
  onSignedOut,
}: {
  signedIn: SignedIn;
  runs: Runs;
  theme: Theme;
  onSignedOut: () => void;
}) {
  const fetcher = useMemo(
    () => createFetcher(credentials, runs, onSignedOut),
    [credentials, runs, onSignedOut],
  );
  const readyMade = useMemo(
    (): GraphiQLPlugin => ({
      title: 'Ready-made operations',
      icon: ReadyMadeIcon,
      content: () => <ReadyMade operations={session.operations} />,
    }),
    [session],
  );
  return (
    <GraphiQL
      fetcher={fetcher}
      schema={schema}
      storage={drafts}
      defaultQuery={welcome}
      defaultTheme={theme}
      forcedTheme={theme}
      defaultEditorToolsVisibility="variables"
      isHeadersEditorEnabled={false}
      showPersistHeadersSettings={false}
      referencePlugin={DOC_EXPLORER_PLUGIN}
      plugins={session.operations.length > 0 ? [readyMade, HISTORY_PLUGIN] : [HISTORY_PLUGIN]}
      visiblePlugin={session.operations.length > 0 ? readyMade : DOC_EXPLORER_PLUGIN}
    >
      <GraphiQL.Logo>
        <span />
      </GraphiQL.Logo>
      <GraphiQL.Footer>
        <EditorNames />
        <RunFooter runs={runs} />
      </GraphiQL.Footer>
    </GraphiQL>
  );
}

/** Says to those who do not look which editor they are in. */
function EditorNames() {
  const editors = useGraphiQL(({ queryEditor, variableEditor, responseEditor }) => ({
    queryEditor,
    variableEditor,
    responseEditor,
  }));
  const { queryEditor, variableEditor, responseEditor } = editors;
  useEffect(() => {
    const labels = ['Operation', 'Variables', 'Response'];
    [queryEditor, variableEditor, responseEditor].forEach((editor, index) => {
      if (!editor) return;
      editor.updateOptions({
        ariaLabel: labels[index]!,
        // Names in any alphabet are no attack.
        unicodeHighlight: { ambiguousCharacters: false, invisibleCharacters: false },
      });
      // GraphiQL lets Tab reach what holds the editor, and Enter go in.
      const holder = editor.getContainerDomNode();
      holder.role = 'group';
      holder.ariaLabel = `${labels[index]}: Enter to go in, Escape or Tab to leave`;
    });
  }, [queryEditor, variableEditor, responseEditor]);
  return null;
}

const ReadyMadeIcon = () => (
  <svg viewBox="0 0 20 20" fill="none" stroke="currentColor" strokeWidth="1.5" aria-hidden="true">
    <path d="M3 4.5h14M3 10h7.5M3 15.5h7.5M13.5 9.5v6.5l4.5-3.2z" />
  </svg>
);
