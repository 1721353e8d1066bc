/** The story of the demo, against the platform in one process and against the split form. */
import { testDatabase } from '#shared/testing/postgres.ts';
import { install, serve } from './served.ts';
import { tellStory } from './story.ts';

test.each(['one', 'split'])(
  'a parcel goes from sign-in to payout: form "%s"',
  async (form) => {
    await using database = await testDatabase();
    await using installation = await install(database.url);
    await using platform = await serve(installation, 'gateway/journeys/start.ts', { FORM: form });
    const chapters = new Set<string>();
    const proof = await tellStory(platform.url, (chapter) => chapters.add(chapter));
    expect([...chapters]).toEqual(
      expect.arrayContaining([
        'Sign-in',
        'Search',
        'Payment',
        'Hand-over',
        'Live',
        'Custody',
        'Payout',
        'Ledger',
      ]),
    );
    expect(proof).toMatchObject({
      chainIntact: true,
      currencies: [{ currency: 'EUR', trialBalance: '0', held: '0', payable: '0' }],
    });
  },
  240_000,
);
