/** Viewers for tests of one subgraph; whole-platform journeys sign in for real. */
import { v5 } from 'uuid';
import { newId } from '#shared/kernel/ids.ts';
import type { LinkViewer, UserViewer } from '#shared/kernel/viewer.ts';

const namespace = '6f1c1f0e-7a64-4a52-9d0c-0d6a3f1f2b11';

/** The user of this name: the same id each time. */
export const user = (name: string, roles: readonly string[] = []): UserViewer => ({
  kind: 'user',
  userId: v5(name, namespace),
  sessionId: newId(),
  roles,
});

/** Somebody who came by the signed link of one recipient of one shipment. */
export const link = (shipmentId: string, recipientId: string): LinkViewer => ({
  kind: 'link',
  shipmentId,
  recipientId,
});
