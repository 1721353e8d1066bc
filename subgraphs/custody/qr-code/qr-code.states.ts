import { defineStates } from '#shared/kernel/states.ts';

export const qrCodeStates = defineStates({
  name: 'QrCode',
  version: 1,
  initial: 'minted',
  terminal: ['consumed', 'expired', 'revoked'],
  transitions: [
    { from: ['minted'], event: 'consume', to: 'consumed', by: ['system'] },
    { from: ['minted'], event: 'expire', to: 'expired', by: ['party', 'system'] },
    { from: ['minted'], event: 'revoke', to: 'revoked', by: ['system'] },
  ],
});
export type QrCodeState = 'minted' | 'consumed' | 'expired' | 'revoked';
