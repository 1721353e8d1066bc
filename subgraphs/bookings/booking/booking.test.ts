import {
  BookingAnswered,
  ItineraryCancelled,
  ItineraryConfirmed,
  ItineraryRequested,
} from '#shared/events/bookings.ts';
import { PaymentCaptured } from '#shared/events/payments.ts';
import { ava, ben, cleo, type Offers, type Story, startStory } from '../../testing/story.ts';

let story: Story;
let offers: Offers;
beforeAll(async () => {
  story = await startStory();
  offers = await story.offers(20_000);
});
afterAll(() => story[Symbol.asyncDispose]());

test('an itinerary is confirmed once everybody has accepted and the money is held; each fact is told once', async () => {
  const asked = await story.confirmed();
  const [itinerary] = await story.rows('bookings', 'select state from itineraries where id = ?', [
    asked.itineraryId,
  ]);
  expect(itinerary).toEqual({ state: 'confirmed' });
  expect(await story.free(offers)).toEqual([18_000, 18_000, 18_000]);
  expect(await story.world.told(ItineraryRequested)).toHaveLength(1);
  expect(await story.world.told(BookingAnswered)).toHaveLength(3);
  expect(await story.world.told(PaymentCaptured)).toHaveLength(1);
  expect(await story.world.told(ItineraryConfirmed)).toHaveLength(1);
  expect(await story.world.told(ItineraryCancelled)).toHaveLength(0);
  expect([ava, ben, cleo]).toHaveLength(3);
});
