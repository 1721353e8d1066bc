/** Names of files that the server bundled, by those of their sources. */
declare const BUNDLED: Readonly<Record<string, string>>;

interface Window {
  MonacoEnvironment?: { getWorker(id: string, label: string): Worker };
}

/** The editor's own switch, which it shows on its menu only. */
declare module 'monaco-editor/esm/vs/editor/browser/config/tabFocus.js' {
  export const TabFocus: { setTabFocusMode(on: boolean): void };
}
