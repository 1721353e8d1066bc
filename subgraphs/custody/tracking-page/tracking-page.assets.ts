/** What the tracking page loads: one script with the map in it and one style sheet, bundled on first use. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { build, transform } from 'esbuild';
import { print } from 'graphql';
import {
  TrackingEventsDocument,
  TrackingPageDocument,
  TrackingPageProofDocument,
} from '../../../schema/operations/operations.generated.ts';

export interface Asset {
  /** Named after its content, so that it may be kept for ever. */
  readonly name: string;
  readonly type: string;
  readonly plain: Uint8Array<ArrayBuffer>;
  readonly zipped: Uint8Array<ArrayBuffer>;
}

export interface Assets {
  readonly script: Asset;
  readonly style: Asset;
}

const folder = join(import.meta.dirname, 'browser');
const target = 'es2022';

export async function bundleAssets(): Promise<Assets> {
  const [bundle, css] = await Promise.all([
    build({
      entryPoints: [join(folder, 'main.ts')],
      bundle: true,
      minify: true,
      format: 'esm',
      target,
      write: false,
      legalComments: 'none',
      define: {
        TRACKING_PAGE: JSON.stringify(print(TrackingPageDocument)),
        TRACKING_PAGE_PROOF: JSON.stringify(print(TrackingPageProofDocument)),
        TRACKING_EVENTS: JSON.stringify(print(TrackingEventsDocument)),
      },
    }),
    readFile(join(folder, 'page.css'), 'utf8').then((source) =>
      transform(source, { loader: 'css', minify: true }),
    ),
  ]);
  const [script, style] = await Promise.all([
    asset('page', 'js', 'text/javascript; charset=utf-8', bundle.outputFiles[0]!.contents),
    asset('page', 'css', 'text/css; charset=utf-8', new TextEncoder().encode(css.code)),
  ]);
  return { script, style };
}

async function asset(name: string, ending: string, type: string, content: Uint8Array): Promise<Asset> {
  const hash = createHash('sha256').update(content).digest('hex').slice(0, 16);
  const zipped = await promisify(gzip)(content, { level: 9 });
  return {
    name: `${name}-${hash}.${ending}`,
    type,
    plain: new Uint8Array(content),
    zipped: new Uint8Array(zipped),
  };
}
