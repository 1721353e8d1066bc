/** What the hub has done and is doing, for whoever observes the gateway. */
export class LiveCounters {
  /** Sent to one client each. */
  eventsDelivered = 0;
  /** Left out, where the last value wins. */
  eventsConflated = 0;
  upstreamsOpened = 0;
  /** Opened again after a cursor, without a word to the clients. */
  upstreamsResumed = 0;
  /** Clients that fell behind and went on from their cursor. */
  followersResumed = 0;
  /** Clients that were told `SUBSCRIPTION_INTERRUPTED`. */
  interruptions = 0;
}

export interface LiveFigures extends Readonly<LiveCounters> {
  /** Now. */
  readonly topics: number;
  readonly lanes: number;
  readonly followers: number;
}
