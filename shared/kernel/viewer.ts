/** Who is asking. Verified once, at the gateway; subgraphs receive it signed and trust nothing else. */
import { Forbidden } from './errors.ts';

export interface UserViewer {
  readonly kind: 'user';
  readonly userId: string;
  readonly sessionId: string;
  readonly roles: readonly string[];
}

/** Somebody without an account who holds a signed link to one shipment, in practice its recipient. */
export interface LinkViewer {
  readonly kind: 'link';
  readonly shipmentId: string;
  readonly recipientId: string;
}

/** A partner's program that showed its API key: nobody's user, and sees what is public or its own. */
export interface PartnerViewer {
  readonly kind: 'partner';
  readonly partnerId: string;
  readonly keyId: string;
  readonly scopes: readonly string[];
}

/** The platform itself: sagas, jobs, event handlers. Never reachable from outside. */
export interface ServiceViewer {
  readonly kind: 'service';
  readonly name: string;
}

export interface AnonymousViewer {
  readonly kind: 'anonymous';
}

export type Viewer = UserViewer | LinkViewer | PartnerViewer | ServiceViewer | AnonymousViewer;

export const anonymous: AnonymousViewer = { kind: 'anonymous' };

/** The signed-in user. Refuses `SIGN_IN_REQUIRED`. */
export function requireUser(viewer: Viewer): UserViewer {
  if (viewer.kind === 'user') return viewer;
  throw new Forbidden('SIGN_IN_REQUIRED', 'Sign in first');
}
