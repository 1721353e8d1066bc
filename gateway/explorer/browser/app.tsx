import type { GraphQLSchema } from 'graphql';
import { type ComponentType, useCallback, useEffect, useState } from 'react';
import type { ExplorerSession } from '../session.ts';
import { openSession, Refused, readSchema } from './api.ts';
import { type Credentials, forgetAll, keepCredentials, keptCredentials } from './credentials.ts';
import { SignIn } from './sign-in.tsx';
import { useTheme } from './theme.ts';
import type { WorkspaceProps } from './workspace.tsx';

export interface SignedIn {
  readonly credentials: Credentials;
  readonly session: ExplorerSession;
  readonly schema: GraphQLSchema;
}

interface Opened extends SignedIn {
  readonly Workspace: ComponentType<WorkspaceProps>;
}

const NO_LONGER_GOOD = 'You were signed out: the key or token is no longer valid.';

export function App() {
  const [opened, setOpened] = useState<Opened | null>(null);
  const [busy, setBusy] = useState(() => keptCredentials() !== null);
  const [problem, setProblem] = useState<string | null>(null);
  const appearance = useTheme();

  const signIn = useCallback(async (credentials: Credentials) => {
    setBusy(true);
    setProblem(null);
    try {
      const signedIn = await open(credentials);
      keepCredentials(credentials);
      setOpened(signedIn);
    } catch (error) {
      forgetAll();
      setProblem(inWords(error));
    } finally {
      setBusy(false);
    }
  }, []);

  const signOut = useCallback((why: string | null) => {
    forgetAll();
    setOpened(null);
    setProblem(why);
  }, []);

  const onSignedOut = useCallback(() => signOut(NO_LONGER_GOOD), [signOut]);

  useEffect(() => {
    const kept = keptCredentials();
    if (kept) void signIn(kept);
  }, [signIn]);

  if (!opened) return <SignIn {...{ busy, problem, signIn, appearance }} />;
  const { Workspace, ...signedIn } = opened;
  return <Workspace {...{ signedIn, appearance, onSignedOut }} signOut={() => signOut(null)} />;
}

/** The workspace is large: it is fetched for those who may use it, while the schema is. */
async function open(credentials: Credentials): Promise<Opened> {
  const session = await openSession(credentials);
  const [schema, { Workspace }] = await Promise.all([
    readSchema(credentials),
    import('./workspace.tsx'),
    loadStyle(BUNDLED['workspace.css']!),
  ]);
  return { credentials, session, schema, Workspace };
}

function loadStyle(name: string): Promise<void> {
  const href = new URL(name, import.meta.url).href;
  if (document.querySelector(`link[href="${href}"]`)) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const link = Object.assign(document.createElement('link'), { rel: 'stylesheet', href });
    link.onload = () => resolve();
    link.onerror = () => reject(new Error('A style sheet did not load'));
    document.head.prepend(link);
  });
}

function inWords(error: unknown): string {
  if (!(error instanceof Refused)) return 'The gateway did not answer. Try again in a moment.';
  switch (error.code) {
    case 'UNAUTHENTICATED':
      return `${error.message}. Check it for missing signs, or ask for a new one.`;
    case 'RATE_LIMITED':
      return 'Too many attempts. Wait a minute, then try again.';
    case 'CREDENTIALS_UNCHECKED':
      return error.message;
    default:
      return 'You are known here, but this account may not read the schema. Ask for a key, or for the right to.';
  }
}
