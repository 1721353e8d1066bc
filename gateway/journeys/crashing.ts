/** The platform with a weak point: dies by SIGKILL when a saga comes to `CRASH_AT` (`<step>:<phase>`). Tests only. */
import { untilToldToStop } from '#shared/runtime/until-told-to-stop.ts';
import { readJourneysConfig } from './journeys.config.ts';
import { startPlatform } from './platform.ts';

const stopped = untilToldToStop();
const config = readJourneysConfig();
await using platform = await startPlatform(config, () => {}, {
  onStep: ({ step, phase }) => {
    if (`${step}:${phase}` === config.CRASH_AT) process.kill(process.pid, 'SIGKILL');
  },
});
console.log(JSON.stringify({ ready: true, url: platform.url }));
await stopped;
