/** docker-compose.yml cannot be run everywhere; what it says must agree with rover.yaml and with the code. */
import { existsSync, readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { listSubgraphs, projectRoot } from '#shared/runtime/rover.ts';

interface ComposeService {
  command?: string | string[];
  environment?: Record<string, string>;
  depends_on?: Record<string, unknown>;
}

const file = parse(readFileSync(`${projectRoot}docker-compose.yml`, 'utf8'), { merge: true }) as {
  services: Record<string, ComposeService>;
  volumes: Record<string, unknown>;
};

test.each(listSubgraphs())(
  '$name has a container that serves it at the port of its routing URL',
  ({ name, routingUrl }) => {
    const service = file.services[name]!;
    expect(service.command).toBe(`node subgraphs/main.ts ${name}`);
    for (const caller of [service, file.services.gateway!]) {
      expect(caller.environment!.SUBGRAPH_URLS!.split(',')).toContain(
        `${name}=http://${name}:${new URL(routingUrl).port}/graphql`,
      );
    }
  },
);

test('no container serves a subgraph that rover.yaml does not list', () => {
  const served = Object.values(file.services).flatMap(
    ({ command }) => /subgraphs\/main\.ts (\S+)/.exec(String(command))?.[1] ?? [],
  );
  expect(served.toSorted()).toEqual(
    listSubgraphs()
      .map(({ name }) => name)
      .toSorted(),
  );
});

test('every command runs a file that exists, and every dependency is a service of the file', () => {
  for (const { command, depends_on } of Object.values(file.services)) {
    const [, entry] = /^node (\S+\.ts)/.exec(String(command)) ?? [];
    if (entry) expect(existsSync(`${projectRoot}${entry}`)).toBe(true);
    for (const dependency of Object.keys(depends_on ?? {}))
      expect(Object.keys(file.services)).toContain(dependency);
  }
  expect(Object.keys(file.services)).toEqual(
    expect.arrayContaining(['gateway', 'migrate', 'postgres', 'nats', 'objects']),
  );
});
