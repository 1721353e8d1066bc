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

/** The platform itself: sagas, jobs, event handlers. Never reachable from outside. */
export interface ServiceViewer {
  readonly kind: 'service';
  readonly name: string;
}

export interface AnonymousViewer {
  readonly kind: 'anonymous';
}

export type Viewer = UserViewer | LinkViewer | ServiceViewer | AnonymousViewer;

export const anonymous: AnonymousViewer = { kind: 'anonymous' };

/** The signed-in user. Refuses `SIGN_IN_REQUIRED`. */
export function requireUser(viewer: Viewer): UserViewer {
  if (viewer.kind === 'user') return viewer;
  throw new Forbidden('SIGN_IN_REQUIRED', 'Sign in first');
}
