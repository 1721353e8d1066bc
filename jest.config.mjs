/** Jest as ES modules: swc strips the types, Node's own loader links the modules. */
export default {
  testEnvironment: 'node',
  roots: ['<rootDir>/gateway', '<rootDir>/subgraphs', '<rootDir>/schema', '<rootDir>/shared'],
  testMatch: ['**/*.test.ts'],
  setupFiles: ['<rootDir>/shared/testing/suppressed-error.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': ['@swc/jest', { jsc: { target: 'esnext', parser: { syntax: 'typescript' } } }],
  },
  maxWorkers: 2,
  testTimeout: 90_000,
};
