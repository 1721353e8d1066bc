/** Names of files that the server bundled, by those of their sources. */
declare const BUNDLED: Readonly<Record<string, string>>;

interface Window {
  MonacoEnvironment?: { getWorker(id: string, label: string): Worker };
}
