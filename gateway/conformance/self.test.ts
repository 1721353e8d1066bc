/** The suite is worth what it finds: each fault, put before a gateway that is right, must be found by name. */
import { type Case, group, type Limits } from './case.ts';
import { presets } from './gateway-process.ts';
import { type CaseResult, runCases } from './runner.ts';
import { Session } from './session.ts';
import { suite } from './suite.ts';
import { faults } from './testing/faults.ts';
import { type Fault, FaultyProxy } from './testing/faulty-proxy.ts';

/** Of cases that are to fail nobody wants to wait for long. */
const impatient = { patience: 800, keepAlive: 3_000 };

let session: Session;
beforeAll(async () => {
  session = await Session.open({ gateway: presets.ours });
});
afterAll(() => session[Symbol.asyncDispose]());

const named = (ids: readonly string[]): Case[] => suite.filter(({ id }) => ids.includes(id));

async function runBehind(
  fault: Fault,
  cases: readonly Case[],
  limits: Partial<Limits> = {},
): Promise<CaseResult[]> {
  await using proxy = await FaultyProxy.open(session.target, fault);
  return await session.run(cases, { target: proxy.target, limits: { ...session.limits, ...limits } });
}

const outcomes = (results: readonly CaseResult[]) => results.map(({ id, outcome }) => [id, outcome]);

test('a proxy that does nothing wrong is passed by every case that is to find a fault', async () => {
  const ids = new Set(faults.flatMap(({ cases }) => cases));
  const results = await runBehind({ name: 'nothing', cases: [] }, named([...ids]));
  expect(results).toHaveLength(ids.size);
  expect(results.filter(({ outcome }) => outcome !== 'passed')).toEqual([]);
});

test.each(faults.map((fault) => [fault.name, fault] as const))(
  'a gateway that %s is found out',
  async (_, fault) => {
    const results = await runBehind(fault, named(fault.cases), impatient);
    const expected = suite.filter(({ id }) => fault.cases.includes(id)).map(({ id }) => [id, 'failed']);
    expect(expected).toHaveLength(fault.cases.length);
    expect(outcomes(results)).toEqual(expected);
  },
);

test('a gateway that does not take up a changed supergraph is found out', async () => {
  const deaf = {
    ...presets.ours,
    launch: (...args: Parameters<typeof presets.ours.launch>) => {
      const launch = presets.ours.launch(...args);
      return { ...launch, env: { ...launch.env, SUPERGRAPH_POLL: '1h' } };
    },
    limits: { ...presets.ours.limits, ...impatient, reload: 1_000 },
  };
  await using other = await Session.open({ gateway: deaf });
  const cases = named(['reload/live-goes-on', 'reload/added-field', 'reload/moved-field']);
  expect((await other.run(cases)).map(({ outcome }) => outcome)).toEqual(['failed', 'failed', 'failed']);
});

test('what a gateway does not offer is not applicable, and does not run', async () => {
  const ran: string[] = [];
  const cases = group('own', [
    { name: 'needs-it', title: '', needs: ['sse'], run: async () => void ran.push('needs-it') },
    { name: 'needs-nothing', title: '', run: async () => void ran.push('needs-nothing') },
  ]);
  const results = await session.run(cases, { without: new Set(['sse']) });
  expect(outcomes(results)).toEqual([
    ['own/needs-it', 'not applicable'],
    ['own/needs-nothing', 'passed'],
  ]);
  expect(ran).toEqual(['needs-nothing']);
});

test('a case that hangs fails by its time limit, and the next one runs', async () => {
  const cases = group('own', [
    { name: 'hangs', title: '', run: () => new Promise(() => undefined) },
    { name: 'passes', title: '', run: async () => undefined },
  ]);
  const { target, shop, supergraph, limits } = session;
  const results = await runCases({
    cases,
    target,
    shop,
    supergraph,
    limits,
    without: new Set(),
    caseTimeout: 50,
  });
  expect(outcomes(results)).toEqual([
    ['own/hangs', 'failed'],
    ['own/passes', 'passed'],
  ]);
});
