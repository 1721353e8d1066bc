import type { MutationResolvers, QrCodeResolvers, QueryResolvers } from '../custody.generated.ts';
import type { HandoffService } from '../handoff/handoff.service.ts';
import type { QrCodeService } from './qr-code.service.ts';

export const qrCodeResolvers = (qrCodes: QrCodeService, handoffs: HandoffService) => ({
  Query: {
    qrVerificationKeys: () => qrCodes.verificationKeys,
  } satisfies QueryResolvers,
  Mutation: {
    issueQrCode: (_root, { input }, { viewer }) => handoffs.issueCode(viewer, input.stepId),
    validateQrCode: (_root, { input }, { viewer }) => qrCodes.validate(viewer, input.token),
    expireQrCode: (_root, { input }, { viewer }) => qrCodes.expire(viewer, input.qrCodeId),
  } satisfies MutationResolvers,
  QrCode: {
    id: ({ row }) => row.id,
    direction: ({ row }) => row.direction.toUpperCase() as Uppercase<typeof row.direction>,
    state: ({ row }) => row.state.toUpperCase() as Uppercase<typeof row.state>,
    notBefore: ({ row }) => row.notBefore,
    notAfter: ({ row }) => row.notAfter,
  } satisfies QrCodeResolvers,
  QrCodeValidation: { valid: () => true },
  QrVerificationKey: { algorithm: () => 'Ed25519' },
});
