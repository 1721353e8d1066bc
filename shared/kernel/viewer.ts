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

/** Whether a partner's key carries a scope such as `search:read`. */
export const hasScope = (viewer: PartnerViewer, scope: string): boolean => viewer.scopes.includes(scope);

/** The signed-in user, or a partner whose key carries the scope. Refuses `SIGN_IN_REQUIRED`, `SCOPE_MISSING` {scope}. */
export function requireUserOrScope(viewer: Viewer, scope: string): UserViewer | PartnerViewer {
  if (viewer.kind !== 'partner') return requireUser(viewer);
  requireScope(viewer, scope);
  return viewer;
}

/** Refuses `SCOPE_MISSING` {scope} a partner whose key does not carry it. */
export function requireScope(viewer: PartnerViewer, scope: string): void {
  if (!hasScope(viewer, scope))
    throw new Forbidden('SCOPE_MISSING', `The API key lacks the scope ${scope}`, { scope });
}
