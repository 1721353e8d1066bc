import { type FormEvent, useEffect, useId, useRef, useState } from 'react';
import type { Credentials } from './credentials.ts';
import { Brand, ThemeToggle } from './parts.tsx';
import type { useTheme } from './theme.ts';

type Kind = 'key' | 'token';

const labels: Record<Kind, { choice: string; label: string; hint: string }> = {
  key: {
    choice: 'API key',
    label: 'API key',
    hint: 'The key that you were given. It decides which part of the API you see.',
  },
  token: {
    choice: 'Access token',
    label: 'Access token',
    hint: 'A token of your own account, without “Bearer”.',
  },
};

export function SignIn({
  busy,
  problem,
  signIn,
  appearance,
}: {
  busy: boolean;
  problem: string | null;
  signIn: (credentials: Credentials) => Promise<void>;
  appearance: ReturnType<typeof useTheme>;
}) {
  const { title = '', credentials = '', open } = document.body.dataset;
  const kinds = credentials.split(' ').filter((each): each is Kind => each in labels);
  const [kind, setKind] = useState<Kind>(kinds[0] ?? 'key');
  const field = useRef<HTMLInputElement>(null);
  const id = useId();
  useEffect(() => {
    if (!busy) field.current?.focus();
  }, [busy]);

  const submit = (event: FormEvent): void => {
    event.preventDefault();
    const text = (field.current?.value ?? '').trim().replace(/^Bearer +/i, '');
    if (text !== '') void signIn({ kind, text });
  };

  return (
    <div className="entrance">
      <header className="bar">
        <Brand title={title} />
        <ThemeToggle {...appearance} />
      </header>
      <main className="entrance-main">
        <form className="card" onSubmit={submit} aria-labelledby={`${id}-title`} aria-busy={busy}>
          <h1 id={`${id}-title`}>Sign in to explore the API</h1>
          <p className="lead">Read the schema, walk through it, try operations and watch events live.</p>
          {kinds.length > 1 && (
            <fieldset className="choice" disabled={busy}>
              <legend>Sign in with</legend>
              {kinds.map((each) => (
                <label key={each}>
                  <input type="radio" name="kind" checked={kind === each} onChange={() => setKind(each)} />
                  <span>{labels[each].choice}</span>
                </label>
              ))}
            </fieldset>
          )}
          {kinds.length > 0 && (
            <>
              <label className="label" htmlFor={`${id}-field`}>
                {labels[kind].label}
              </label>
              <input
                id={`${id}-field`}
                ref={field}
                className="secret"
                type="password"
                autoComplete="off"
                spellCheck={false}
                required
                readOnly={busy}
                aria-invalid={problem !== null}
                aria-describedby={`${id}-hint${problem === null ? '' : ` ${id}-problem`}`}
              />
              <p id={`${id}-hint`} className="hint">
                {labels[kind].hint}
              </p>
            </>
          )}
          <div role="alert" id={`${id}-problem`}>
            {problem !== null && <p className="problem">{problem}</p>}
          </div>
          {kinds.length > 0 && (
            <button type="submit" className="primary" disabled={busy}>
              {busy ? 'Opening…' : 'Sign in'}
            </button>
          )}
          {open === 'true' && (
            <button type="button" disabled={busy} onClick={() => void signIn({ kind: 'none', text: '' })}>
              Continue without signing in
            </button>
          )}
          <p className="hint">
            What you enter stays in this tab, until you sign out or close it. It is sent to this gateway only.
          </p>
        </form>
      </main>
    </div>
  );
}
