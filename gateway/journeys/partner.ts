/** One partner with a key for the demo world, made by an administrator as any other would be. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import {
  CreateApiKeyDocument,
  CreatePartnerDocument,
  PartnersDocument,
} from '../../schema/operations/operations.generated.ts';
import { type Client, signIn } from './client.ts';

/** Named in `ADMIN_EMAILS` of the demo world. */
export const demoAdmin = 'ada.lindqvist@demo.baton.test';

const demoPartner = { name: 'Colis Express', contactEmail: 'api@colis-express.demo.baton.test' };

const kept = z.object({ partnerId: z.uuid(), key: z.string() });
export type DemoPartner = z.output<typeof kept>;

/** Makes them at the first start and keeps the key's text, which nobody can show again, beside the data. */
export async function ensurePartner(url: string, dataDir: string): Promise<DemoPartner> {
  const note = join(dataDir, 'partner.json');
  const known = await readFile(note, 'utf8').catch(() => null);
  if (known !== null) return kept.parse(JSON.parse(known));
  const { client } = await signIn(url, demoAdmin, 'Ada Lindqvist');
  const partnerId = (await findPartner(client)) ?? (await takeOn(client));
  const { createApiKey } = await client.run(CreateApiKeyDocument, {
    input: { partnerId, name: 'Demo', scopes: ['SEARCH_READ', 'TRACKING_READ'] },
  });
  const made = { partnerId, key: createApiKey.text };
  await writeFile(note, JSON.stringify(made), { mode: 0o600 });
  return made;
}

async function findPartner(admin: Client): Promise<string | undefined> {
  const { partners } = await admin.run(PartnersDocument, { first: 100 });
  return partners.edges.find(({ node }) => node.name === demoPartner.name)?.node.id;
}

async function takeOn(admin: Client): Promise<string> {
  const { createPartner } = await admin.run(CreatePartnerDocument, { input: demoPartner });
  return createPartner.id;
}
