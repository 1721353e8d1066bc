/** Signing in as a client does, with the code read where communications would read it. */
import { OtpRequested } from '#shared/events/identity.ts';
import { newId } from '#shared/kernel/ids.ts';
import type { UserViewer } from '#shared/kernel/viewer.ts';
import type { World } from '../../testing/world.ts';

export interface SignedIn {
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly viewer: UserViewer;
  readonly device: string;
}

const requestOtp = `mutation ($input: RequestOtpInput!) { requestOtp(input: $input) { challengeId expiresAt } }`;
const verifyOtp = `mutation ($input: VerifyOtpInput!) {
  verifyOtp(input: $input) {
    id accessToken accessExpiresAt refreshToken expiresAt
    user { id displayName email profileCompletedAt avatar { id } stats { carriedLegs } settings { locale timeZone } }
  }
}`;

/** An address that nobody has used yet. */
export const someAddress = (): string => `${newId()}@example.com`;

export const deviceOf = (name: string): string => `device of ${name}`;

export const ask = (world: World, email: string, device = deviceOf(email)) =>
  world.execute('identity', requestOtp, { input: { email, deviceFingerprint: device } });

export const verify = (world: World, input: Record<string, unknown>) =>
  world.execute('identity', verifyOtp, {
    input: { deviceFingerprint: deviceOf(String(input.email)), ...input },
  });

/** The code of the newest challenge. */
export async function newestCode(world: World): Promise<string> {
  const told = await world.told(OtpRequested);
  return world.shared.secrets.unseal('otp', told.at(-1)!.sealedCode);
}

export async function signIn(
  world: World,
  email: string,
  more: Record<string, unknown> = {},
): Promise<SignedIn> {
  const device = String(more.deviceFingerprint ?? deviceOf(email));
  const { data: asked, errors } = await ask(world, email, device);
  if (errors[0]) throw errors[0];
  const answer = await verify(world, {
    challengeId: asked.requestOtp.challengeId,
    email,
    code: await newestCode(world),
    deviceFingerprint: device,
    ...more,
  });
  if (answer.errors[0]) throw answer.errors[0];
  const { accessToken, refreshToken, id, user } = answer.data.verifyOtp;
  return {
    accessToken,
    refreshToken,
    device,
    viewer: { kind: 'user', userId: user.id, sessionId: id, roles: [] },
  };
}
