/** Followers that are served before the event loop gets its turn. */
const SLICE = 1_000;

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/**
 * Serves every member of a set, in slices, so that ten thousand deliveries do not hold up everything else.
 * Those that leave meanwhile are not served; those that join may be: they must find nothing to do then.
 */
export async function fanOut<Member>(members: Set<Member>, serve: (member: Member) => void): Promise<void> {
  let served = 0;
  for (const member of members) {
    serve(member);
    served += 1;
    if (served % SLICE === 0) await turn();
  }
}
