import { GraphQLError } from 'graphql';
import { formatClientError, rateLimited, refusal } from './errors.ts';

const shown = (error: GraphQLError, production = true) => formatClientError(error.toJSON(), production);

test.each(['GRAPHQL_PARSE_FAILED', 'GRAPHQL_VALIDATION_FAILED', 'OPERATION_RESOLUTION_FAILURE'])(
  'in production %s says nothing of the schema, and outside it all',
  (code) => {
    const error = new GraphQLError('Cannot query field "x" on type "Book"', { extensions: { code } });
    expect(shown(error)).toEqual({ message: 'The operation is not valid', extensions: { code } });
    expect(shown(error, false).message).toContain('Book');
  },
);

test('what is ours to answer for is masked in production, its path stays', () => {
  const error = new GraphQLError('select * from secret', {
    path: ['a', 0],
    extensions: { serviceName: 'books', stacktrace: ['at db.ts'] },
  });
  expect(shown(error)).toEqual({
    message: 'Internal error',
    path: ['a', 0],
    extensions: { code: 'INTERNAL_SERVER_ERROR' },
  });
});

test('a refusal of the trade keeps message, code, kind and details, and nothing else', () => {
  const extensions = { code: 'TAKEN', kind: 'CONFLICT', details: { a: 1 }, serviceName: 'books' };
  expect(shown(new GraphQLError('It is taken', { extensions }))).toEqual({
    message: 'It is taken',
    extensions: { code: 'TAKEN', kind: 'CONFLICT', details: { a: 1 } },
  });
});

test.each([true, false])('what HTTP needs to know is not told in the body (production: %s)', (production) => {
  const details = { retryAfterSeconds: 7 };
  expect(shown(rateLimited(7), production)).toMatchObject({
    message: 'Too much at once: try again later',
    extensions: { code: 'RATE_LIMITED', details },
  });
  for (const error of [rateLimited(7), refusal('X', 'x', 400)])
    expect(shown(error, production).extensions).not.toHaveProperty('http');
});
