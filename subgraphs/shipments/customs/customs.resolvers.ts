import { money } from '#shared/kernel/money.ts';
import type { Resolvers } from '../shipments.generated.ts';
import type { CustomsService } from './customs.service.ts';

const upper = <T extends string>(text: T): Uppercase<T> => text.toUpperCase() as Uppercase<T>;
const lower = <T extends string>(text: T): Lowercase<T> => text.toLowerCase() as Lowercase<T>;

export const customsResolvers = (customs: CustomsService): Resolvers => ({
  Query: {
    customsDuties: (_, { shipmentId, at }, { viewer }) => customs.duties(viewer, shipmentId, at),
  },
  Mutation: {
    declareCustoms: (_, { input }, { viewer }) =>
      customs.declare(viewer, {
        ...input,
        contentType: lower(input.contentType),
        incoterm: input.incoterm && lower(input.incoterm),
        lines: input.lines?.map((line) => ({
          ...line,
          value: money(line.value.amountMinor, line.value.currency),
        })),
      }),
  },
  Shipment: {
    customsDeclaration: (shipment, _, { load }) => load(customs.ofShipments, shipment),
  },
  CustomsDeclaration: {
    contentType: ({ contentType }) => upper(contentType),
    incoterm: ({ incoterm }) => incoterm && upper(incoterm),
    complete: ({ missing }) => missing.length === 0,
  },
  DutyEstimate: {
    advice: () =>
      'An estimate of customs duty from published rules, for information only: not legal or tax advice. Value added tax, excise and handling fees are not in it, and the customs office at the border decides.',
  },
});
