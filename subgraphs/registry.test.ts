import { listSubgraphs } from '#shared/runtime/rover.ts';
import { loadSubgraphs } from './registry.ts';

test('a name that rover.yaml does not list is refused before anything is opened', async () => {
  const [known] = listSubgraphs();
  await expect(loadSubgraphs([known!.name, 'parcels', '../process'])).rejects.toThrow(
    'rover.yaml lists no subgraph parcels, ../process',
  );
});

test('the named subgraphs are found, in the order of rover.yaml', async () => {
  const names = listSubgraphs().map(({ name }) => name);
  const [first, second] = names;
  const loaded = await loadSubgraphs([second!, first!]);
  expect(loaded.map(({ definition }) => definition.name)).toEqual([first, second]);
});

test('every subgraph of rover.yaml is defined under its own name', async () => {
  for (const { listed, definition } of await loadSubgraphs()) expect(definition.name).toBe(listed.name);
});
