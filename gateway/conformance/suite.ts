/** The cases, in the order in which they are run. */
import type { Case } from './case.ts';
import { chaos } from './cases/chaos.ts';
import { delivery } from './cases/delivery.ts';
import { failures } from './cases/failures.ts';
import { forwardingCases } from './cases/forwarding.ts';
import { joins } from './cases/joins.ts';
import { operations } from './cases/operations.ts';
import { pressure } from './cases/pressure.ts';
import { protocol } from './cases/protocol.ts';
import { reload } from './cases/reload.ts';
import { restart } from './cases/restart.ts';
import { resume } from './cases/resume.ts';
import { serverSentEvents } from './cases/server-sent-events.ts';
import { sharing } from './cases/sharing.ts';

export const suite: readonly Case[] = [
  ...protocol,
  ...operations,
  ...delivery,
  ...joins,
  ...failures,
  ...resume,
  ...sharing,
  ...pressure,
  ...reload,
  ...serverSentEvents,
  ...restart,
  ...chaos,
  ...forwardingCases,
];
