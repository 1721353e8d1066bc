/** What the page asks of the platform. The texts of the operations are put in when the page is bundled. */
import type {
  TrackingPageProofQuery,
  TrackingPageQuery,
} from '../../../../schema/operations/operations.generated.ts';
import { FeedRefused, refuse } from '../live-feed.ts';

declare const TRACKING_PAGE: string;
declare const TRACKING_PAGE_PROOF: string;
declare const TRACKING_EVENTS: string;

export const trackingEvents = TRACKING_EVENTS;

/** What the signed link is for. It proves nothing here: the platform checks it with every request. */
export function shipmentOf(token: string): string | null {
  try {
    const payload = token.split('.')[1]!.replace(/-/g, '+').replace(/_/g, '/');
    const { shp } = JSON.parse(atob(payload)) as { shp?: unknown };
    return typeof shp === 'string' ? shp : null;
  } catch {
    return null;
  }
}

export class Api {
  readonly endpoint: string;
  readonly token: string;
  readonly #shipmentId: string;

  constructor(endpoint: string, token: string, shipmentId: string) {
    this.endpoint = endpoint;
    this.token = token;
    this.#shipmentId = shipmentId;
  }

  page(after: string): Promise<TrackingPageQuery> {
    return this.#run(TRACKING_PAGE, { shipmentId: this.#shipmentId, after: after || null });
  }

  proof(packageId: string): Promise<TrackingPageProofQuery> {
    return this.#run(TRACKING_PAGE_PROOF, { packageId });
  }

  /** Throws `FeedRefused` where the link opens nothing, anything else where another try may help. */
  async #run<Data>(query: string, variables: object): Promise<Data> {
    const response = await fetch(this.endpoint, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${this.token}` },
      body: JSON.stringify({ query, variables }),
      cache: 'no-store',
      credentials: 'omit',
      signal: AbortSignal.timeout(15_000),
    });
    const answer = (await response.json()) as { data?: Data | null; errors?: [] };
    refuse(answer, response.status);
    if (!answer.data || answer.errors) throw new Error(`no answer: ${response.status}`);
    return answer.data;
  }
}

export { FeedRefused };
