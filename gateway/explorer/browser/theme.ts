/** Light or dark: as the system has it, until the reader says otherwise. */
import { useEffect, useState } from 'react';

export type Theme = 'light' | 'dark';

const KEPT = 'explorer:theme';
const darkSystem = matchMedia('(prefers-color-scheme: dark)');

const chosen = (): Theme | null => {
  const kept = localStorage.getItem(KEPT);
  return kept === 'light' || kept === 'dark' ? kept : null;
};

export function applyChosenTheme(): void {
  const theme = chosen();
  if (theme) document.documentElement.dataset.theme = theme;
}

export function useTheme(): { theme: Theme; toggle: () => void } {
  const [choice, setChoice] = useState(chosen);
  const [system, setSystem] = useState<Theme>(darkSystem.matches ? 'dark' : 'light');
  useEffect(() => {
    const follow = (): void => setSystem(darkSystem.matches ? 'dark' : 'light');
    darkSystem.addEventListener('change', follow);
    return () => darkSystem.removeEventListener('change', follow);
  }, []);
  const theme = choice ?? system;
  return {
    theme,
    toggle: () => {
      const next = theme === 'dark' ? 'light' : 'dark';
      localStorage.setItem(KEPT, next);
      applyChosenTheme();
      setChoice(next);
    },
  };
}
