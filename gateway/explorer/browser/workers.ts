/** The editor's workers are files beside this one: no `blob:`, and nobody else's host. */
window.MonacoEnvironment = {
  getWorker(_id, label) {
    const source = label === 'json' || label === 'graphql' ? label : 'editor';
    return new Worker(new URL(BUNDLED[`${source}.worker.js`]!, import.meta.url), { name: label });
  },
};
