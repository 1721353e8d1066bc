import { defineStates } from '#shared/kernel/states.ts';

export type MailDeliveryState = 'scheduled' | 'sent' | 'refused' | 'stale';
export type MailDeliveryEvent = 'send' | 'refuse' | 'expire';

export const mailDeliveryStates = defineStates<MailDeliveryState, MailDeliveryEvent, 'system'>({
  name: 'mail delivery',
  version: 1,
  initial: 'scheduled',
  terminal: ['sent', 'refused', 'stale'],
  transitions: [
    { from: ['scheduled'], event: 'send', to: 'sent', by: ['system'] },
    { from: ['scheduled'], event: 'refuse', to: 'refused', by: ['system'] },
    { from: ['scheduled'], event: 'expire', to: 'stale', by: ['system'] },
  ],
});
