/** The environment of the processes that a bench starts: its own without what would tune Node, and what each needs. */
export function environmentWith(settings: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _, ...own } = process.env;
  return { ...own, NODE_ENV: 'production', APOLLO_TELEMETRY_DISABLED: '1', ...settings };
}
