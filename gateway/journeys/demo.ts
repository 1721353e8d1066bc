/** `npm run demo`: plays the story against the running platform and shows it as it happens; exit 0 only if all of it held. */
import { readJourneysConfig } from './journeys.config.ts';
import { tellStory } from './story.ts';

const { BATON_URL } = readJourneysConfig();
const began = performance.now();
let chapter = '';
try {
  await tellStory(BATON_URL, (title, line) => {
    const seconds = ((performance.now() - began) / 1000).toFixed(1).padStart(5);
    console.log(`${seconds} s  ${(title === chapter ? '' : title).padEnd(10)} ${line}`);
    chapter = title;
  });
  console.log('\nEvery assertion held.');
} catch (error) {
  console.error(`\nThe story broke: ${error instanceof Error ? (error.stack ?? error.message) : error}`);
  process.exitCode = 1;
}
