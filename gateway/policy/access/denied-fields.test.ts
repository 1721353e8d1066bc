import type { Viewer } from '#shared/kernel/viewer.ts';
import type { Caller } from '../policy.ts';
import { composed, operationIn, supergraphOf } from '../testing/supergraph.ts';
import { FieldAccess } from './denied-fields.ts';

const supergraph = supergraphOf(
  `
  type Query {
    open: Int
    mine: Int @authenticated
    scoped: Int @requiresScopes(scopes: [["read", "write"], ["admin"]])
    judged: Int @policy(policies: [["auditor"], ["chief", "calm"]])
    both: Int @authenticated @requiresScopes(scopes: [["read"]])
    vault: Vault
    card: Card
    rank: Rank
    animal: Animal
    pet: Pet
    shelf: Shelf
  }
  type Vault @authenticated { gold: Int }
  scalar Card @requiresScopes(scopes: [["cards"]])
  enum Rank @policy(policies: [["auditor"]]) { HIGH }
  interface Animal { name: String }
  type Cat implements Animal { name: String  lives: Int }
  type Dog implements Animal @requiresScopes(scopes: [["dogs"]]) { name: String  bark: Int }
  union Pet = Cat | Dog
  type Shelf @key(fields: "id") { id: ID!  open: Int }
`,
  `type Shelf @key(fields: "id") { id: ID!  secret: Int @requiresScopes(scopes: [["shelves"]]) }`,
);
const rolesOf = ({ viewer }: Caller) => (viewer.kind === 'user' ? viewer.roles : []);
const access = new FieldAccess(supergraph, rolesOf);

function caller(viewer: Viewer, ...scopes: string[]): Caller {
  return { viewer, scopes, expiresAt: null, contract: null, keyId: null, address: '127.0.0.1' };
}
const user = (...roles: string[]): Viewer => ({ kind: 'user', userId: 'u', sessionId: 's', roles });
const nobody = caller({ kind: 'anonymous' });

function denied(text: string, who: Caller, rules = access, schema = supergraph): string[] {
  const { document, operation } = operationIn(schema, text);
  return [...rules.denied(document, operation, who)].map(({ alias, name }) => (alias ?? name).value);
}

test.each<[string, string, Caller, string[]]>([
  ['what asks nothing is open', '{ open }', nobody, []],
  ['nobody has what is for the signed-in', '{ open mine }', nobody, ['mine']],
  ['a user has it', '{ mine }', caller(user()), []],
  ['a partner has it', '{ mine }', caller({ kind: 'partner', partnerId: 'p', keyId: 'k', scopes: [] }), []],
  ['half a set of scopes is not enough', '{ scoped }', caller(user(), 'read'), ['scoped']],
  ['one whole set of scopes is', '{ scoped }', caller(user(), 'write', 'read'), []],
  ['as is another', '{ scoped }', caller(user(), 'admin'), []],
  ['a role meets a policy of its name', '{ judged }', caller(user('auditor')), []],
  ['half a set of policies does not', '{ judged }', caller(user('chief')), ['judged']],
  ['all that is said must be met', '{ both }', caller(user()), ['both']],
  ['what a field returns is asked of the field', '{ vault { gold } }', nobody, ['vault', 'gold']],
  ['a scalar guards its fields', '{ card }', nobody, ['card']],
  ['so does an enum', '{ rank }', caller(user('auditor')), []],
  [
    'only the guarded branch of a union is lost',
    '{ pet { ... on Cat { lives } ... on Dog { bark } } }',
    nobody,
    ['bark'],
  ],
  [
    'a field of an interface is as guarded as its most guarded object',
    '{ animal { name } }',
    nobody,
    ['animal', 'name'],
  ],
  ['whoever may have every object may have it', '{ animal { name } }', caller(user(), 'dogs'), []],
  ['each field by its own response name', '{ a: mine b: mine open }', nobody, ['a', 'b']],
  [
    'in named fragments too',
    '{ ...F } fragment F on Query { mine ... { scoped } }',
    nobody,
    ['mine', 'scoped'],
  ],
  ["another subgraph's field of the same entity", '{ shelf { id open secret } }', caller(user()), ['secret']],
])('%s', (_, text, who, expected) => {
  expect(denied(text, who)).toEqual(expected);
});

test('one document is judged by who asks', () => {
  const { document, operation } = operationIn(supergraph, '{ mine scoped }');
  const names = (who: Caller) => [...access.denied(document, operation, who)].map(({ name }) => name.value);
  expect(names(nobody)).toEqual(['mine', 'scoped']);
  expect(names(caller(user()))).toEqual(['scoped']);
  expect(names(caller(user(), 'admin'))).toEqual([]);
});

test('policies are decided by whoever the platform says', () => {
  const strict = new FieldAccess(supergraph, () => []);
  expect(denied('{ judged }', caller(user('auditor')), strict)).toEqual(['judged']);
});

test('directives are known by the names that the supergraph gives them', () => {
  const renamed = composed(`
    extend schema @link(
      url: "https://specs.apollo.dev/federation/v2.9"
      import: [{ name: "@authenticated", as: "@signedIn" }, { name: "@policy", as: "@law" }]
    )
    type Query { open: Int  mine: Int @signedIn  judged: Int @law(policies: [["auditor"]]) }
  `);
  const rules = new FieldAccess(renamed, rolesOf);
  expect(denied('{ open mine judged }', nobody, rules, renamed)).toEqual(['mine', 'judged']);
});

test('where the supergraph asks nothing, nothing is looked at', () => {
  const open = composed('type Query { a: Int }');
  const rules = new FieldAccess(open, rolesOf);
  const of = () => {
    const { document, operation } = operationIn(open, '{ a }');
    return rules.denied(document, operation, nobody);
  };
  expect(of().size).toBe(0);
  expect(of()).toBe(of());
});
