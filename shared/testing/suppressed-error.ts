/**
 * Set up for every test: where a scope fails and its disposal too, swc's `using` means to throw both as one
 * `SuppressedError`, by a name that it leaves undeclared. Without this the test would only say so.
 */
Object.assign(globalThis, { _SuppressedError: SuppressedError });
