/**
 * The documents that client applications were built with, by their SHA-256: in production nothing else is taken
 * from those who are neither developers nor partners. The file is read once; clients add nothing to it.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { refusal } from '../errors.ts';
import type { DocumentRequest } from './policy.ts';

const fileShape = z.record(z.string().regex(/^[\da-f]{64}$/), z.string());

export class TrustedDocuments {
  readonly #texts: ReadonlyMap<string, string>;
  readonly #known: ReadonlySet<string>;

  constructor(documents: Readonly<Record<string, string>>) {
    this.#texts = new Map(Object.entries(documents));
    this.#known = new Set(this.#texts.values());
  }

  /** Throws where the file is missing, or a document is not the one of its hash. */
  static read(path: string): TrustedDocuments {
    if (path === '') return new TrustedDocuments({});
    const documents = fileShape.parse(JSON.parse(readFileSync(path, 'utf8')));
    for (const [hash, text] of Object.entries(documents))
      if (hashOf(text) !== hash) throw new Error(`${path}: the document of ${hash} was changed`);
    return new TrustedDocuments(documents);
  }

  get texts(): Iterable<string> {
    return this.#known;
  }

  /**
   * The text that a request means. Refuses `DOCUMENT_MISSING`, `DOCUMENT_UNKNOWN`, a text with the hash of
   * another one as `DOCUMENT_MISMATCH`, and what is not trusted as `DOCUMENT_NOT_TRUSTED` unless all are free.
   */
  textOf({ query, documentId }: DocumentRequest, free: boolean): string {
    if (documentId === undefined) {
      if (!query) throw refusal('DOCUMENT_MISSING', 'Send a document', 400);
      if (!free && !this.#known.has(query)) throw notTrusted();
      return query;
    }
    const trusted = this.#texts.get(documentId);
    if (query !== undefined && query !== '') {
      if (query === trusted) return query;
      if (hashOf(query) !== documentId)
        throw refusal('DOCUMENT_MISMATCH', 'The document is not the one of its hash', 400);
      if (!free) throw notTrusted();
      return query;
    }
    if (trusted === undefined) throw refusal('DOCUMENT_UNKNOWN', 'There is no document of this hash', 400);
    return trusted;
  }
}

const notTrusted = () =>
  refusal('DOCUMENT_NOT_TRUSTED', 'Only documents of known applications are taken', 400);

export const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex');
