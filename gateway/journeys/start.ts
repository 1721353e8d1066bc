/** `npm start`: the whole platform on this machine, with nothing to install by hand. */
import { readJourneysConfig } from './journeys.config.ts';
import { startPlatform } from './platform.ts';
import { ensureWorld } from './seed.ts';

const began = performance.now();
const config = readJourneysConfig(process.argv.includes('--split') ? { FORM: 'split' } : {});
const say = (line: string): void => {
  if (!config.JSON_OUTPUT) console.log(`  ${line}`);
};

await using platform = await startPlatform(config, say);
const origin = new URL(platform.url).origin;
const people = config.WORLD === 'demo' ? await ensureWorld(platform.url, platform.dataDir, say) : [];
const seconds = ((performance.now() - began) / 1000).toFixed(1);
if (config.JSON_OUTPUT) {
  console.log(JSON.stringify({ ready: true, url: platform.url, seconds: Number(seconds) }));
} else {
  console.log(`
Baton serves after ${seconds} s (${config.FORM === 'one' ? 'one process' : 'split form'}).

  GraphQL endpoint   ${platform.url}   (HTTP and graphql-ws)
  Mailbox            ${origin}/services/communications/mailbox   (sign-in codes arrive here)
${people.map(({ role, email }) => `  ${role.padEnd(18)} ${email}`).join('\n')}

  npm run demo       plays a whole delivery against it
  Ctrl+C             stops it
`);
}
const stopped = new Promise<string>((resolve) => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve(''));
});
const fault = await Promise.race([stopped, platform.ended]);
if (fault) {
  console.error(fault);
  process.exitCode = 1;
}
