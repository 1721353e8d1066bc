/** A world of communications with people in it, and what reaches them. */
import { type ExecutionResult, parse, subscribe } from 'graphql';
import { IdentityContract } from '#shared/contracts/identity.ts';
import { UserRegistered } from '#shared/events/identity.ts';
import { newId } from '#shared/kernel/ids.ts';
import { money } from '#shared/kernel/money.ts';
import { after, HOUR } from '#shared/kernel/time.ts';
import type { UserViewer, Viewer } from '#shared/kernel/viewer.ts';
import type { Environment } from '#shared/runtime/config.ts';
import { answer } from '#shared/runtime/subgraph.ts';
import { user } from '../../testing/actors.ts';
import { startWorld, type World } from '../../testing/world.ts';

const identity = answer(IdentityContract, {
  users: async () => [],
  userByEmail: async () => ({ userId: null }),
  partner: async () => ({ name: null }),
  linkToken: async ({ shipmentId, recipientId }) => ({ token: `link/${shipmentId}/${recipientId}` }),
  files: async () => [],
});

export interface Letter {
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

export class Correspondence implements AsyncDisposable {
  readonly world: World;

  constructor(world: World) {
    this.world = world;
  }

  static async start(env: Environment = {}): Promise<Correspondence> {
    return new Correspondence(
      await startWorld({
        subgraphs: ['communications'],
        env: { MAILBOX_SMTP_PORT: '0', ...env },
        contracts: [identity],
      }),
    );
  }

  /** A user with an account at `<name>@example.com`, welcome mail included. */
  async person(name: string, timeZone = 'Europe/Paris'): Promise<UserViewer> {
    const viewer = user(name);
    await this.world.hear(UserRegistered, {
      userId: viewer.userId,
      email: addressOf(name),
      displayName: name,
      locale: 'en',
      timeZone,
    });
    await this.world.settle();
    return viewer;
  }

  /** Mails in the mailbox, oldest first. */
  async letters(to: string): Promise<Letter[]> {
    const response = await this.world.route(
      'communications',
      new Request(`http://x/mailbox.json?to=${encodeURIComponent(to)}`),
    );
    const { messages } = (await response.json()) as { messages: Letter[] };
    return messages.reverse();
  }

  async subjects(to: string): Promise<string[]> {
    return (await this.letters(to)).map(({ subject }) => subject);
  }

  /** Titles inside the application, oldest first. */
  async titles(viewer: Viewer): Promise<string[]> {
    const { data } = await this.run('{ notifications(first: 100) { edges { node { title } } } }', {}, viewer);
    return data.notifications.edges.map(({ node }: { node: { title: string } }) => node.title).reverse();
  }

  run(text: string, variables: object, viewer: Viewer) {
    return this.world.execute('communications', text, { ...variables }, viewer);
  }

  /** Follows the viewer's notifications; `next` gives a title and its cursor. */
  async follow(viewer: Viewer, cursor: string | null, signal: AbortSignal) {
    const { local } = this.world.subgraph('communications');
    const source = await subscribe({
      schema: local.schema,
      document: parse(
        'subscription ($after: String) { notificationReceived(after: $after) { cursor title } }',
      ),
      variableValues: { after: cursor },
      contextValue: local.createContext({ viewer, requestId: newId(), signal }),
    });
    if (!(Symbol.asyncIterator in source)) throw source.errors![0];
    return {
      next: async (): Promise<{ cursor: string; title: string }> => {
        const { value } = (await source.next()) as IteratorResult<ExecutionResult>;
        return value.data.notificationReceived;
      },
      end: () => source.return(undefined),
    };
  }

  hours(count: number): Date {
    return after(this.world.clock.now(), count * HOUR);
  }

  /** A leg of `carrier`, six hours long. */
  leg(carrier: UserViewer, sequence = 1) {
    return {
      bookingId: newId(),
      sequence,
      legKind: 'trip_leg' as const,
      legId: newId(),
      tripId: newId(),
      carrierType: 'traveller' as const,
      carrierId: carrier.userId,
      fromLocationId: newId(),
      toLocationId: newId(),
      departsAt: this.hours(24 * sequence),
      arrivesAt: this.hours(24 * sequence + 6),
      price: money(2_000, 'EUR'),
    };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.world[Symbol.asyncDispose]();
  }
}

export const addressOf = (name: string): string => `${name.toLowerCase()}@example.com`;
