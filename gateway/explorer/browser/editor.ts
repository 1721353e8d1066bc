/** How the editor lives on this page. */
import { TabFocus } from 'monaco-editor/esm/vs/editor/browser/config/tabFocus.js';

// Tab moves on from an editor, as it does everywhere else on the page.
TabFocus.setTabFocusMode(true);

// What an editor was about to do when it was closed is given up, which it reports as a fault.
addEventListener('unhandledrejection', (event) => {
  if ((event.reason as Error | null)?.name === 'Canceled') event.preventDefault();
});

// The editor's workers are files beside this one: no `blob:`, and nobody else's host.
window.MonacoEnvironment = {
  getWorker(_id, label) {
    const source = label === 'json' || label === 'graphql' ? label : 'editor';
    return new Worker(new URL(BUNDLED[`${source}.worker.js`]!, import.meta.url), { name: label });
  },
};
