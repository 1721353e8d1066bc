import { gatewayConfigOf, readGatewayConfig } from './gateway.config.ts';

test('an empty environment is a working configuration', () => {
  expect(readGatewayConfig({})).toMatchObject({
    PORT: 4000,
    PRODUCTION: false,
    SUBGRAPH_TIMEOUT: 5_000,
    ORIGINS: [],
    INTERNAL_SECRETS: [],
    ACCESS_TOKEN_PUBLIC_KEYS: { keys: [] },
  });
});

test('every fault is told at once, by the name of its variable', () => {
  const env = {
    PORT: 'x',
    PRODUCTION: 'yes',
    INTERNAL_SECRETS: 'k:short',
    SUBGRAPH_TIMEOUT: 'soon',
    SUBGRAPH_URLS: 'books',
    ACCESS_TOKEN_PUBLIC_KEYS: '{"keys":[{"kty":"OKP","crv":"Ed25519","x":"a","d":"b"}]}',
  };
  for (const name of Object.keys(env)) expect(() => gatewayConfigOf(env)).toThrow(name);
});

test('the private key of access tokens is not accepted in place of the public one', () => {
  const keys = '{"keys":[{"kty":"OKP","crv":"Ed25519","x":"a","d":"b"}]}';
  expect(() => readGatewayConfig({ ACCESS_TOKEN_PUBLIC_KEYS: keys })).toThrow('private key');
});
