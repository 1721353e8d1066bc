/** The page: a form to sign in, and behind it everything that the viewer may see. */
import { createRoot } from 'react-dom/client';
import { App } from './app.tsx';
import { applyChosenTheme } from './theme.ts';

applyChosenTheme();
createRoot(document.getElementById('root')!).render(<App />);
