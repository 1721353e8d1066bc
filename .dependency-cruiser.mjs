import { Visitor } from '@swc/core/Visitor.js';

// swc's own visitor of its syntax trees does not know `using` yet and would throw on it.
const { visitStatement } = Visitor.prototype;
Visitor.prototype.visitStatement = function (statement) {
  if (statement.type !== 'UsingDeclaration') return visitStatement.call(this, statement);
  statement.decls = this.visitVariableDeclarators(statement.decls);
  return statement;
};

/** The six import rules of the house (README.md of each folder says why), plus "no cycles". */
const test = '\\.(test|testing)\\.ts$|/testing/|^gateway/journeys/';
export default {
  forbidden: [
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'shared-never-looks-up',
      severity: 'error',
      from: { path: '^shared/' },
      to: { path: '^(gateway|subgraphs|schema)/' },
    },
    {
      name: 'kernel-is-pure',
      severity: 'error',
      from: { path: '^shared/kernel/', pathNot: test },
      to: {
        pathNot:
          '^shared/kernel/|^node_modules/(uuid|zod|canonicalize)/|^(uuid|zod|canonicalize)$|^(node:)?crypto$',
      },
    },
    {
      name: 'events-and-contracts-know-only-kernel',
      severity: 'error',
      from: { path: '^shared/(events|contracts)/' },
      to: {
        path: '^shared/',
        pathNot: '^shared/(kernel|events|contracts)/|^shared/runtime/(event|contract)\\.ts$',
      },
    },
    {
      name: 'subgraphs-do-not-import-each-other',
      severity: 'error',
      from: { path: '^subgraphs/([^/]+)/', pathNot: '^subgraphs/testing/' },
      to: { path: '^subgraphs/[^/]+/', pathNot: '^subgraphs/($1|testing)/' },
    },
    {
      name: 'entities-are-private-to-their-service',
      severity: 'error',
      from: { path: '^subgraphs/([^/]+)/([^/]+)/', pathNot: test },
      to: { path: '^subgraphs/[^/]+/[^/]+/[^/]+\\.entities\\.ts$', pathNot: '^subgraphs/$1/$2/' },
    },
    {
      name: 'resolvers-do-not-know-the-database',
      severity: 'error',
      from: { path: '\\.resolvers\\.ts$' },
      to: { path: '\\.entities\\.ts$|^node_modules/@mikro-orm/|^shared/runtime/(database|ledger)' },
    },
    {
      name: 'services-do-not-know-graphql',
      severity: 'error',
      from: { path: '\\.(service|saga|handlers|jobs|entities|states|webhooks)\\.ts$' },
      to: { path: '^node_modules/(graphql|@apollo|dataloader)/|\\.resolvers\\.ts$' },
    },
    {
      name: 'vendors-only-in-providers',
      severity: 'error',
      from: { path: '^(subgraphs|gateway|shared)/', pathNot: '^subgraphs/[^/]+/providers/|\\.test\\.ts$' },
      to: { path: '^node_modules/(stripe|nodemailer|smtp-server)/' },
    },
    {
      name: 'gateway-knows-no-subgraph',
      severity: 'error',
      from: { path: '^gateway/', pathNot: '^gateway/journeys/' },
      to: { path: '^subgraphs/|^shared/(events|contracts)/' },
    },
    {
      name: 'schema-knows-no-code',
      severity: 'error',
      from: { path: '^schema/' },
      to: { path: '^(gateway|subgraphs)/' },
    },
    {
      name: 'tests-are-not-imported',
      severity: 'error',
      from: { pathNot: test },
      to: { path: '\\.(test|testing)\\.ts$|^shared/testing/|^subgraphs/testing/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '\\.generated\\.ts$' },
    parser: 'swc',
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'types'],
      extensions: ['.ts', '.mjs', '.js', '.json'],
    },
  },
};
