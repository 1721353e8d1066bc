import { mergeResolvers } from './merge-resolvers.ts';

const one = () => 1;
const two = () => 2;

test('services add fields to the same type', () => {
  expect(mergeResolvers({ Query: { one } }, { Query: { two }, Trip: { two } })).toEqual({
    Query: { one, two },
    Trip: { two },
  });
});

test('two answers to one field are a fault', () => {
  expect(() => mergeResolvers({ Query: { one } }, { Query: { one: two } })).toThrow(
    'Query.one is resolved twice',
  );
});
