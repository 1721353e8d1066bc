import { defineEntity, type InferEntity, p } from '@mikro-orm/postgresql';

export type ContentType = 'documents' | 'gift' | 'sample' | 'merchandise' | 'return';
export type Incoterm = 'dap' | 'ddp';

/** A line as it was written down; amounts as decimal digits, since JSON has no integers of their size. */
export interface DeclaredLine {
  readonly description: string;
  readonly quantity: number;
  readonly valueMinor: string;
  readonly currency: string;
  readonly weightGrams: number;
  readonly hsCode: string | null;
  readonly originCountry: string | null;
}

export const CustomsDeclarationEntity = defineEntity({
  name: 'CustomsDeclaration',
  tableName: 'customs_declarations',
  checks: [
    {
      name: 'content_type_known',
      expression: "content_type in ('documents', 'gift', 'sample', 'merchandise', 'return')",
    },
    { name: 'incoterm_known', expression: "incoterm in ('dap', 'ddp')" },
  ],
  properties: {
    id: p.uuid().primary(),
    shipmentId: p.uuid().unique(),
    contentType: p.text().$type<ContentType>(),
    incoterm: p.text().$type<Incoterm>().nullable(),
    /** Null where the lines are the items of the packages, whatever they are. */
    lines: p.json<readonly DeclaredLine[]>().nullable(),
    signerName: p.text(),
    declaredAt: p.datetime(),
  },
});

export const customsEntities = [CustomsDeclarationEntity];

export type CustomsDeclarationRow = InferEntity<typeof CustomsDeclarationEntity>;
