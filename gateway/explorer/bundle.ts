/**
 * What the page loads, bundled on the first request that asks for it and kept under `node_modules/.cache` by the
 * hash of its sources and of the versions that it is made of. Where nothing can be written there it is kept in
 * memory only.
 */
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { type BuildOptions, type BuildResult, build, version } from 'esbuild';
import type { Logger } from 'pino';
import { z } from 'zod';
import { projectRoot } from '#shared/runtime/rover.ts';

export interface BundledFile {
  readonly plain: Uint8Array;
  readonly zipped: Uint8Array;
}

export interface Bundle {
  /** Names of what the document itself loads. */
  readonly script: string;
  readonly style: string;
  /** All of it by name; a name holds the hash of its content. */
  readonly files: ReadonlyMap<string, BundledFile>;
}

const sources = join(import.meta.dirname, 'browser');
/** Whose versions go into the page. */
const packages = [
  'graphiql',
  '@graphiql/react',
  'monaco-editor',
  'monaco-graphql',
  'graphql',
  'graphql-ws',
  'react',
  'react-dom',
];
const workers = {
  'worker-editor': 'monaco-editor/esm/vs/editor/editor.worker.js',
  'worker-json': 'monaco-editor/esm/vs/language/json/json.worker.js',
  'worker-graphql': 'monaco-graphql/esm/graphql.worker.js',
};
const entriesShape = z.object({ script: z.string(), style: z.string() });
const ENTRIES = 'entries.json';

export async function openBundle(
  logger: Logger,
  cache = join(projectRoot, 'node_modules/.cache'),
): Promise<Bundle> {
  const folder = join(cache, `explorer-${await fingerprint()}`);
  const kept = await readKept(folder);
  if (kept) return kept;
  const began = performance.now();
  const bundle = await make();
  await keep(bundle, folder).catch((err: unknown) => logger.warn({ err }, 'the explorer cannot be kept'));
  logger.info({ milliseconds: Math.round(performance.now() - began) }, 'explorer bundled');
  return bundle;
}

async function fingerprint(): Promise<string> {
  const hash = createHash('sha256').update(version);
  const folders = [import.meta.dirname, sources];
  const files = await Promise.all(
    folders.map(async (folder) => (await readdir(folder)).map((name) => join(folder, name))),
  );
  const own = files.flat().filter((path) => /(?<!\.test)\.(ts|tsx|css)$/.test(path));
  const manifests = packages.map((name) => join(projectRoot, 'node_modules', name, 'package.json'));
  for (const path of [...own.sort(), ...manifests]) hash.update(basename(path)).update(await readFile(path));
  return hash.digest('hex').slice(0, 16);
}

async function readKept(folder: string): Promise<Bundle | null> {
  try {
    const entries = entriesShape.parse(JSON.parse(await readFile(join(folder, ENTRIES), 'utf8')));
    const names = (await readdir(folder)).filter((name) => name !== ENTRIES && !name.endsWith('.gz'));
    const files = names.map(async (name): Promise<[string, BundledFile]> => {
      const [plain, zipped] = await Promise.all([
        readFile(join(folder, name)),
        readFile(join(folder, `${name}.gz`)),
      ]);
      return [name, { plain, zipped }];
    });
    return { ...entries, files: new Map(await Promise.all(files)) };
  } catch {
    // Not there, or not whole: it is made again.
    return null;
  }
}

/** Under another name first, so that nobody ever reads half of it. */
async function keep({ script, style, files }: Bundle, folder: string): Promise<void> {
  const draft = `${folder}.${randomUUID()}`;
  await mkdir(draft, { recursive: true });
  try {
    for (const [name, { plain, zipped }] of files) {
      await writeFile(join(draft, name), plain);
      await writeFile(join(draft, `${name}.gz`), zipped);
    }
    await writeFile(join(draft, ENTRIES), JSON.stringify({ script, style }));
    await rm(folder, { recursive: true, force: true });
    await rename(draft, folder);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    throw error;
  }
}

const common = {
  absWorkingDir: projectRoot,
  bundle: true,
  minify: true,
  target: 'es2022',
  write: false,
  metafile: true,
  legalComments: 'none',
  outdir: 'out',
  entryNames: '[name]-[hash]',
  chunkNames: 'part-[hash]',
  assetNames: '[name]-[hash]',
  define: { 'process.env.NODE_ENV': '"production"' },
} as const satisfies BuildOptions;

type Built = BuildResult<typeof common>;

/** Workers and styles first, since the scripts name them. */
async function make(): Promise<Bundle> {
  const [worked, styled] = await Promise.all([
    build({ ...common, entryPoints: workers, format: 'iife' }),
    build({
      ...common,
      entryPoints: ['page', 'workspace'].map((name) => join(sources, `${name}.css`)),
      loader: { '.ttf': 'dataurl' },
    }),
  ]);
  const named = new Map([...entriesOf(worked), ...entriesOf(styled)]);
  const scripted = await build({
    ...common,
    entryPoints: [join(sources, 'main.tsx')],
    format: 'esm',
    splitting: true,
    jsx: 'automatic',
    // Styles are built on their own: the editor's parts would each bring the same ones again.
    loader: { '.css': 'empty' },
    define: { ...common.define, BUNDLED: JSON.stringify(Object.fromEntries(named)) },
  });
  const files = new Map<string, BundledFile>();
  for (const { path, contents } of [worked, styled, scripted].flatMap(({ outputFiles }) => outputFiles))
    files.set(basename(path), { plain: contents, zipped: await promisify(gzip)(contents, { level: 6 }) });
  return { script: entriesOf(scripted).get('main.tsx')!, style: named.get('page.css')!, files };
}

/** Names of outputs by those of their entry points. */
const entriesOf = ({ metafile }: Built): Map<string, string> =>
  new Map(
    Object.entries(metafile.outputs).flatMap(([path, { entryPoint }]) =>
      entryPoint === undefined ? [] : [[basename(entryPoint), basename(path)]],
    ),
  );
