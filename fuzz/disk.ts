/** Images of which only the pages that are not zeros are held, and copies of them with some bytes changed. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { type BlockSource, checkRange } from '../lib/source/types';

export const PAGE = 4096;
const ZEROS = Buffer.alloc(PAGE);

/** Pages of a sound image; undefined: zeros. */
export interface Image {
  readonly name: string;
  readonly size: number;
  readonly pages: readonly (Buffer | undefined)[];
}

export function imageOf(name: string, bytes: Buffer): Image {
  const pages: (Buffer | undefined)[] = [];
  for (let at = 0; at < bytes.length; at += PAGE) {
    const end = Math.min(bytes.length, at + PAGE);
    if (bytes.compare(ZEROS, 0, end - at, at, end) === 0) pages.push(undefined);
    else {
      const page = Buffer.alloc(PAGE);
      bytes.copy(page, 0, at, end);
      pages.push(page);
    }
  }
  return { name, size: bytes.length, pages };
}

export function bytesOf(path: string): Buffer {
  const bytes = readFileSync(path);
  return path.endsWith('.gz') ? gunzipSync(bytes) : bytes;
}

export const loadImage = (root: string, path: string): Image => imageOf(path, bytesOf(join(root, path)));

/** Bytes of the copy that differ from the image: in order, later ones over earlier ones. */
export interface Changes {
  /** Bytes that are left of the image; undefined: all. */
  size?: number;
  readonly writes: { readonly at: number; readonly bytes: Buffer }[];
  /** Zeros put in, from which on everything has moved. */
  insert?: { readonly at: number; readonly length: number };
}

/** A copy of an image: the pages that are written are its own. */
export class Disk implements BlockSource {
  readonly sectorSize: number = 512;
  size: number;
  #pages: (Buffer | undefined)[];
  readonly #changed = new Set<number>();
  #insert: Changes['insert'];
  /** Told of every read: where, and into what. */
  onRead: ((at: number, into: Uint8Array) => void) | undefined;

  constructor(
    readonly image: Image,
    readonly label = 'disk',
  ) {
    this.size = image.size;
    this.#pages = image.pages.slice();
  }

  reset(): void {
    for (const index of this.#changed) this.#pages[index] = this.image.pages[index];
    this.#changed.clear();
    this.size = this.image.size;
    this.#insert = undefined;
  }

  apply(changes: Changes): void {
    for (const { at, bytes } of changes.writes) this.write(at, bytes);
    if (changes.size !== undefined) this.size = Math.min(this.size, changes.size);
    if (changes.insert) {
      this.#insert = changes.insert;
      this.size += changes.insert.length;
    }
  }

  write(at: number, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      const place = at + done;
      if (place >= this.image.size) return;
      const index = Math.floor(place / PAGE);
      if (!this.#changed.has(index)) {
        this.#changed.add(index);
        this.#pages[index] = Buffer.from(this.#pages[index] ?? ZEROS);
      }
      const from = place % PAGE;
      const count = Math.min(PAGE - from, bytes.length - done);
      this.#pages[index]!.set(bytes.subarray(done, done + count), from);
      done += count;
    }
  }

  read(at: number, into: Uint8Array): void {
    checkRange(this, at, into.length);
    this.onRead?.(at, into);
    const insert = this.#insert;
    if (!insert || at + into.length <= insert.at) this.#copy(at, into);
    else
      for (let i = 0; i < into.length; ) {
        const place = at + i;
        if (place < insert.at) {
          const count = Math.min(into.length - i, insert.at - place);
          this.#copy(place, into.subarray(i, i + count));
          i += count;
        } else if (place < insert.at + insert.length) {
          const count = Math.min(into.length - i, insert.at + insert.length - place);
          into.fill(0, i, i + count);
          i += count;
        } else {
          this.#copy(place - insert.length, into.subarray(i));
          return;
        }
      }
  }

  #copy(at: number, into: Uint8Array): void {
    for (let done = 0; done < into.length; ) {
      const place = at + done;
      const from = place % PAGE;
      const count = Math.min(PAGE - from, into.length - done);
      const page = this.#pages[(place - from) / PAGE];
      if (page) {
        if (count === PAGE) into.set(page, done);
        else into.set(page.subarray(from, from + count), done);
      } else into.fill(0, done, done + count);
      done += count;
    }
  }

  /** `length` bytes of the copy, without anybody being told. */
  bytes(at: number, length: number): Buffer {
    const into = Buffer.alloc(Math.max(0, Math.min(length, this.image.size - at)));
    this.#copy(at, into);
    return into;
  }

  /** All of it, as a file. */
  whole(): Buffer {
    const into = Buffer.alloc(this.size);
    this.read(0, into);
    return into;
  }
}
