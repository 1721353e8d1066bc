import { z } from 'zod';

const environment = z.object(
  {
    BATON_TEST_SERVER_URL: z.string(),
    BATON_TEST_SUPERUSER_URL: z.string(),
    BATON_TEST_TEMPLATE: z.string(),
    BATON_TEST_RUN: z.string(),
  },
  { error: 'tests need the database that `npm test [-- jest arguments]` prepares; plain jest does not' },
);

/** What the test runner tells its tests: the server, the migrated template on it, and the name of this run. */
export function testingConfig(): { serverUrl: string; superuserUrl: string; template: string; run: string } {
  const { data, error } = environment.safeParse(process.env);
  if (!data) throw new Error(error.issues[0]?.message ?? error.message);
  return {
    serverUrl: data.BATON_TEST_SERVER_URL,
    superuserUrl: data.BATON_TEST_SUPERUSER_URL,
    template: data.BATON_TEST_TEMPLATE,
    run: data.BATON_TEST_RUN,
  };
}
