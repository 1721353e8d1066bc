import { defineEntity, type InferEntity, p } from '@mikro-orm/core';

export const Partner = defineEntity({
  name: 'Partner',
  tableName: 'partners',
  properties: {
    id: p.uuid().primary(),
    name: p.text(),
    contactEmail: p.text(),
    /** Contract of the schema that its keys see. */
    contract: p.text(),
    costPerMinute: p.integer(),
    requestsPerMinute: p.integer(),
    createdAt: p.datetime(),
  },
  indexes: [
    {
      name: 'partners_name_once',
      expression: 'create unique index "partners_name_once" on "identity"."partners" (lower("name"))',
    },
  ],
  checks: [
    { name: 'partners_budgets', expression: 'cost_per_minute > 0 and requests_per_minute > 0' },
    { name: 'partners_contract', expression: "contract ~ '^[a-z][a-z0-9-]*$'" },
  ],
});
export type Partner = InferEntity<typeof Partner>;

export const ApiKey = defineEntity({
  name: 'ApiKey',
  tableName: 'api_keys',
  properties: {
    id: p.uuid().primary(),
    partnerId: p.uuid().index(),
    name: p.text(),
    /** SHA-256 of the text in hexadecimal: enough for 256 random bits, which nobody can guess. */
    secretHash: p.text(),
    scopes: p.array(),
    createdAt: p.datetime(),
    lastUsedAt: p.datetime().nullable(),
    expiresAt: p.datetime().nullable(),
    revokedAt: p.datetime().nullable(),
    replacedById: p.uuid().nullable(),
  },
  checks: [
    { name: 'api_keys_secret_hash', expression: "secret_hash ~ '^[0-9a-f]{64}$'" },
    { name: 'api_keys_scopes', expression: 'cardinality(scopes) > 0' },
  ],
});
export type ApiKey = InferEntity<typeof ApiKey>;

export const apiKeyEntities = [Partner, ApiKey];
