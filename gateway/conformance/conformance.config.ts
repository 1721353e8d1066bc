/** The environment of gateways that the suite starts: the suite's own, and what the gateway needs beyond it. */
export const environmentWith = (settings: Readonly<Record<string, string>>): NodeJS.ProcessEnv => ({
  ...process.env,
  APOLLO_TELEMETRY_DISABLED: '1',
  ...settings,
});
