import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { projectRoot } from './tooling.config.ts';

const config = join(projectRoot, '.dependency-cruiser.mjs');

const vendors = [
  'graphql',
  '@apollo/gateway',
  'dataloader',
  '@mikro-orm/core',
  'stripe',
  'nodemailer',
  'smtp-server',
  'uuid',
  'zod',
  'canonicalize',
];

/** A small Baton that keeps every rule: file, then what it imports. */
const clean: Record<string, string[]> = {
  'shared/kernel/ids.ts': ['uuid', 'node:crypto'],
  'shared/kernel/money.ts': ['./ids.ts', 'zod', 'canonicalize'],
  'shared/kernel/money.test.ts': ['./money.ts', 'node:fs'],
  'shared/runtime/event.ts': ['#shared/kernel/ids.ts'],
  'shared/runtime/contract.ts': ['#shared/kernel/ids.ts'],
  'shared/runtime/database.ts': ['@mikro-orm/core', '#shared/kernel/ids.ts'],
  'shared/runtime/egg.ts': [],
  'shared/runtime/hen.ts': ['./egg.ts'],
  'shared/testing/postgres.ts': ['#shared/runtime/database.ts'],
  'shared/events/payments.ts': ['#shared/runtime/event.ts', '#shared/kernel/money.ts'],
  'shared/contracts/payments.ts': ['#shared/runtime/contract.ts', '#shared/events/payments.ts'],
  'subgraphs/testing/platform.ts': ['../payments/payments.subgraph.ts'],
  'subgraphs/payments/payments.subgraph.ts': ['./escrow/escrow.service.ts', './escrow/escrow.resolvers.ts'],
  'subgraphs/payments/providers/stripe.ts': ['stripe'],
  'subgraphs/payments/escrow/escrow.entities.ts': ['@mikro-orm/core'],
  'subgraphs/payments/escrow/escrow.service.ts': [
    './escrow.entities.ts',
    '../providers/stripe.ts',
    '#shared/runtime/database.ts',
    '#shared/contracts/payments.ts',
  ],
  'subgraphs/payments/escrow/escrow.resolvers.ts': ['type:./escrow.service.ts', 'graphql', 'dataloader'],
  'subgraphs/payments/escrow/escrow.test.ts': [
    './escrow.service.ts',
    '../payout/payout.entities.ts',
    '#shared/testing/postgres.ts',
    '../../testing/platform.ts',
    'stripe',
  ],
  'subgraphs/payments/payout/payout.entities.ts': ['@mikro-orm/core'],
  'subgraphs/custody/custody.subgraph.ts': ['#shared/events/payments.ts'],
  'gateway/server.ts': ['@apollo/gateway', '#shared/runtime/event.ts'],
  'gateway/journeys/delivery.ts': ['../server.ts', '../../subgraphs/testing/platform.ts'],
  'schema/compose.ts': ['graphql'],
  // Types may refer to each other in a circle: nothing of it is left at run time.
  'shared/runtime/parent.ts': ['type:./child.ts'],
  'shared/runtime/child.ts': ['type:./parent.ts'],
};

const service = '../../payments/escrow/escrow.service.ts';

/** Rule, the file that breaks it, and how. */
const plants: [rule: string, file: string, specifier: string][] = [
  ['no-cycles', 'shared/runtime/egg.ts', './hen.ts'],
  ['shared-never-looks-up', 'shared/runtime/upwards.ts', '../../subgraphs/payments/escrow/escrow.service.ts'],
  ['shared-never-looks-up', 'shared/events/upwards.ts', '../../schema/compose.ts'],
  ['kernel-is-pure', 'shared/kernel/reads.ts', 'node:fs'],
  ['kernel-is-pure', 'shared/kernel/stores.ts', '#shared/runtime/database.ts'],
  ['kernel-is-pure', 'shared/kernel/answers.ts', 'graphql'],
  ['events-and-contracts-know-only-kernel', 'shared/events/stores.ts', '#shared/runtime/database.ts'],
  ['events-and-contracts-know-only-kernel', 'shared/contracts/stores.ts', 'type:#shared/runtime/database.ts'],
  ['subgraphs-do-not-import-each-other', 'subgraphs/custody/handoff/handoff.service.ts', service],
  ['subgraphs-do-not-import-each-other', 'subgraphs/custody/handoff/handoff.saga.ts', `type:${service}`],
  [
    'entities-are-private-to-their-service',
    'subgraphs/payments/invoice/invoice.service.ts',
    'type:../escrow/escrow.entities.ts',
  ],
  [
    'resolvers-do-not-know-the-database',
    'subgraphs/payments/payout/payout.resolvers.ts',
    './payout.entities.ts',
  ],
  [
    'resolvers-do-not-know-the-database',
    'subgraphs/payments/invoice/invoice.resolvers.ts',
    '#shared/runtime/database.ts',
  ],
  ['services-do-not-know-graphql', 'subgraphs/payments/payout/payout.service.ts', 'graphql'],
  [
    'services-do-not-know-graphql',
    'subgraphs/payments/payout/payout.handlers.ts',
    '../escrow/escrow.resolvers.ts',
  ],
  ['vendors-only-in-providers', 'subgraphs/payments/payout/payout.jobs.ts', 'stripe'],
  ['vendors-only-in-providers', 'shared/runtime/mail.ts', 'nodemailer'],
  ['gateway-knows-no-subgraph', 'gateway/policy.ts', '../subgraphs/custody/custody.subgraph.ts'],
  ['gateway-knows-no-subgraph', 'gateway/executor.ts', '#shared/contracts/payments.ts'],
  ['schema-knows-no-code', 'schema/codegen.ts', '../gateway/server.ts'],
  ['tests-are-not-imported', 'subgraphs/payments/invoice/invoice.ts', '#shared/testing/postgres.ts'],
  ['tests-are-not-imported', 'shared/kernel/parcels.ts', './money.test.ts'],
];

interface Violation {
  readonly from: string;
  readonly rule: { readonly name: string };
}

let folder: string;
beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'baton-rules-')));
  await write('package.json', JSON.stringify({ type: 'module', imports: { '#shared/*': './shared/*' } }));
  for (const vendor of vendors) {
    await write(
      `node_modules/${vendor}/package.json`,
      JSON.stringify({ name: vendor, exports: './index.js' }),
    );
    await write(`node_modules/${vendor}/index.js`, 'export default {};');
  }
  for (const [file, imports] of Object.entries(clean)) await write(file, source(imports));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function write(file: string, text: string): Promise<void> {
  await mkdir(dirname(join(folder, file)), { recursive: true });
  await writeFile(join(folder, file), text);
}

/** Uses what it imports, and `await using`, as the project's files do. */
function source(imports: readonly string[]): string {
  const lines = imports.map((specifier, index) =>
    specifier.startsWith('type:')
      ? `import type thing${index} from '${specifier.slice(5)}';\nexport type Thing${index} = typeof thing${index};`
      : `import thing${index} from '${specifier}';\nexport const used${index} = thing${index};`,
  );
  return `${lines.join('\n')}\nexport default async () => {\n  await using stack = new AsyncDisposableStack();\n  return stack;\n};\n`;
}

async function violations(): Promise<Violation[]> {
  const cruiser = join(projectRoot, 'node_modules/dependency-cruiser/bin/dependency-cruiser.mjs');
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [cruiser, `--config=${config}`, '--output-type=json', 'shared', 'subgraphs', 'schema', 'gateway'],
    { cwd: folder, timeout: 60_000, maxBuffer: 50_000_000 },
  );
  const { summary }: { summary: { violations: Violation[]; totalCruised: number } } = JSON.parse(stdout);
  expect(summary.totalCruised).toBeGreaterThanOrEqual(Object.keys(clean).length);
  return summary.violations;
}

test('a tree that keeps the import rules passes', async () => {
  expect(await violations()).toEqual([]);
});

describe('in a tree with one violation each', () => {
  let found: Violation[];
  beforeAll(async () => {
    for (const [, file, specifier] of plants) await write(file, source([specifier]));
    found = await violations();
  });

  test.each(plants)('%s is named for %s, which imports %s', (rule, file) => {
    expect(found.filter(({ from }) => from === file).map((violation) => violation.rule.name)).toEqual([rule]);
  });

  test('nothing else is named', () => {
    const planted = new Set(plants.map(([, file]) => file));
    expect(found.filter(({ from }) => !planted.has(from))).toEqual([]);
  });
});

test('every rule of the project has a planted violation', async () => {
  const { default: rules }: { default: { forbidden: { name: string }[] } } = await import(config);
  expect(new Set(plants.map(([rule]) => rule))).toEqual(new Set(rules.forbidden.map(({ name }) => name)));
});
