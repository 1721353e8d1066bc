/** Where the bytes of files lie. Adapters: a folder (the default); an object store in the grown form. */
import type { ReadableStream } from 'node:stream/web';

export interface FileStorage {
  /**
   * Stores a whole stream under a new place of a file. All or nothing: nobody ever sees a part, and where the
   * stream fails nothing stays and its own error is thrown. Refuses `FILE_STORAGE_UNAVAILABLE`.
   */
  write(place: FilePlace, content: AsyncIterable<Uint8Array>): Promise<void>;
  /** The bytes of a place; the caller reads or cancels the stream. Refuses `FILE_STORAGE_UNAVAILABLE`. */
  read(place: FilePlace): Promise<ReadableStream<Uint8Array>>;
  /** Removes one place; best effort, since `sweep` comes later. */
  remove(place: FilePlace): Promise<void>;
  /** Removes what attempts at this file left behind, except one. Nothing to remove is no fault. */
  sweep(fileId: string, keep: string | null): Promise<void>;
}

/** Each attempt at an upload has a place of its own, so that two at once cannot mix. */
export interface FilePlace {
  readonly fileId: string;
  readonly attempt: string;
}
