/** `npm start`: the whole platform on this machine, with nothing to install by hand. */
import { ConfigFault } from '#shared/runtime/config.ts';
import { PostgresFailure } from '#shared/runtime/postgres/failure.ts';
import { untilToldToStop } from '#shared/runtime/until-told-to-stop.ts';
import { type JourneysConfig, readJourneysConfig } from './journeys.config.ts';
import { type DemoPartner, ensurePartner } from './partner.ts';
import { type Platform, startPlatform } from './platform.ts';
import { ensureWorld, type Inhabitant } from './seed.ts';

const began = performance.now();
const stopped = untilToldToStop();

try {
  await run(readJourneysConfig(process.argv.includes('--split') ? { FORM: 'split' } : {}));
} catch (error) {
  console.error(explained(error));
  process.exitCode = 1;
}

async function run(config: JourneysConfig): Promise<void> {
  const say = (line: string): void => {
    if (!config.JSON_OUTPUT) console.log(`  ${line}`);
  };
  await using platform = await startPlatform(config, say);
  const isDemo = config.WORLD === 'demo';
  const people = isDemo ? await ensureWorld(platform.url, platform.dataDir, say) : [];
  const partner = isDemo ? await ensurePartner(platform.url, platform.dataDir) : undefined;
  announce(config, platform, people, partner);
  const fault = await Promise.race([stopped.then(() => ''), platform.ended]);
  if (fault) throw new Error(fault);
}

function announce(
  config: JourneysConfig,
  { url }: Platform,
  people: readonly Inhabitant[],
  partner: DemoPartner | undefined,
): void {
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  if (config.JSON_OUTPUT) {
    console.log(JSON.stringify({ ready: true, url, seconds: Number(seconds) }));
    return;
  }
  console.log(`
Baton serves after ${seconds} s (${config.FORM === 'one' ? 'one process' : 'split form'}).

  GraphQL endpoint   ${url}   (HTTP, graphql-ws, server-sent events)
  Explorer           ${new URL(url).origin}/explorer${partner ? `   (API key of a partner: ${partner.key})` : ''}
  Mailbox            ${new URL(url).origin}/services/communications/mailbox   (sign-in codes arrive here)
${people.map(({ role, email }) => `  ${role.padEnd(18)} ${email}`).join('\n')}

  npm run demo       plays a whole delivery against it
  Ctrl+C             stops it
`);
}

/** For a person: what is wrong, and no stack where the fault is in the surroundings. */
function explained(error: unknown): unknown {
  const { code, port } = error as { code?: string; port?: number };
  if (code === 'EADDRINUSE')
    return `Port ${port} is taken. Is Baton running already? Otherwise set another PORT.`;
  return error instanceof ConfigFault || error instanceof PostgresFailure ? error.message : error;
}
