import type { Theme } from './theme.ts';

export const Brand = ({ title }: { title: string }) => (
  <p className="brand">
    <svg viewBox="0 0 28 28" aria-hidden="true">
      <rect width="28" height="28" rx="8" />
      <path d="M8 9h12l-6 10.5zM8 9l6 4 6-4M14 13v6.5" />
    </svg>
    <strong>{title}</strong>
    <span>Explorer</span>
  </p>
);

export const ThemeToggle = ({ theme, toggle }: { theme: Theme; toggle: () => void }) => (
  <button
    type="button"
    className="icon"
    onClick={toggle}
    aria-label={theme === 'dark' ? 'Use light colours' : 'Use dark colours'}
    title={theme === 'dark' ? 'Light colours' : 'Dark colours'}
  >
    <svg viewBox="0 0 20 20" aria-hidden="true">
      {theme === 'dark' ? (
        <path d="M10 6.2a3.8 3.8 0 1 0 0 7.6 3.8 3.8 0 0 0 0-7.6zM10 1.5v2M10 16.5v2M1.5 10h2M16.5 10h2M4 4l1.4 1.4M14.6 14.6 16 16M4 16l1.4-1.4M14.6 5.4 16 4" />
      ) : (
        <path d="M16.5 11.7A7 7 0 0 1 8.3 3.5a7 7 0 1 0 8.2 8.2z" />
      )}
    </svg>
  </button>
);

/** What stands between backticks is code. */
export function Prose({ text }: { text: string | null }) {
  const [before = '', code, ...after] = (text ?? '').split('`');
  if (code === undefined) return before;
  return (
    <>
      {before}
      <code>{code}</code>
      {after.length > 0 && <Prose text={after.join('`')} />}
    </>
  );
}
