/**
 * A disk behind an NBD URI, as flat bytes. A chunk: the core knows such a name (cli/main.ts) and loads this.
 *
 * Metadata is read in blocks of 128 KiB that are kept, payload in requests of 1 MiB of which up to 24 are under way at a time; copy.ts
 * announces what it will read (`willRead`). The connection lives in a thread of its own (worker.ts), which is there before privileges
 * are given up.
 */
import { GuestError } from '../../bytes/errors';
import { LIMITS, type Limits } from '../../bytes/limits';
import { printable } from '../../bytes/text';
import { type BlockSource, checkRange, totalLength } from '../types';
import { Blocks } from './blocks';
import { Client } from './client';
import { Geometry } from './geometry';
import type { Export } from './handshake';
import { partitionStarts } from './partitions';
import type { Problem } from './replies';
import { Stretches } from './stretches';
import { parseUri } from './uri';

/** Reads of at least this much are long stretches, if nobody announced them. */
const LONG = 256 * 1024;
/** What is read ahead of a sequence of such reads, at first and at most. */
const AHEAD = 2 * 1024 * 1024;
const MOST_AHEAD = 8 * 1024 * 1024;

export { type HandedOver, handOver } from './handover';

export class NbdSource implements BlockSource {
  readonly size: number;
  readonly sectorSize: number;
  /** A server's export is flat: no image format is looked for unless one is named. */
  readonly isBlockDevice = true;
  /** The server's own words for the export, printable. */
  readonly description: string;
  /** Requests so far. */
  reads = 0;
  /** Bytes that they asked for. */
  bytesRead = 0;
  readonly #geometry: Geometry;
  readonly #blocks: Blocks;
  readonly #stretches: Stretches;
  #looked = false;
  /** Where the last long read ended, and how far ahead of a sequence of them was asked for. */
  #last = -1;
  #ahead = 0;
  #guessed = -1;

  constructor(
    readonly label: string,
    readonly client: Client,
    found: Export,
  ) {
    this.size = found.size;
    this.sectorSize = found.minimum === 4096 ? 4096 : 512;
    this.description = printable(found.description);
    this.#geometry = new Geometry(found);
    const asked = (length: number): void => {
      this.reads++;
      this.bytesRead += length;
    };
    this.#blocks = new Blocks(client, this.#geometry, this.size, asked);
    this.#stretches = new Stretches(client, this.#geometry, asked);
    if (this.size > 0) this.#blocks.ask(0);
  }

  /** These bytes of a file will be read next, in order and once. */
  willRead(at: number, length: number): void {
    if (length > 0 && at + length <= this.size) this.#stretches.announce(at, length);
  }

  read(at: number, into: Uint8Array): void {
    if (into.length >= LONG) {
      this.readOnce(at, into);
      return;
    }
    checkRange(this, at, into.length);
    for (let done = 0; done < into.length; ) {
      const part = done === 0 ? into : into.subarray(done);
      done += this.#blocks.take(at + done, part) || this.#exactly(at + done, part);
    }
    if (!this.#looked && at < this.#geometry.block) this.#lookAhead();
  }

  readOnce(at: number, into: Uint8Array): void {
    checkRange(this, at, into.length);
    if (into.length >= LONG) this.#foresee(at, into.length);
    for (let done = 0; done < into.length; ) {
      const place = at + done;
      const part = done === 0 ? into : into.subarray(done);
      const count = this.#stretches.take(place, part);
      if (count > 0) done += count;
      else if (part.length >= LONG) done += this.#exactly(place, part);
      else {
        this.read(place, part);
        return;
      }
    }
  }

  readMany(at: number, into: readonly Uint8Array[]): void {
    const length = totalLength(into);
    checkRange(this, at, length);
    if (length >= LONG) this.#foresee(at, length);
    let place = at;
    for (const buffer of into) {
      this.readOnce(place, buffer);
      place += buffer.length;
    }
  }

  /** A soft disconnect. */
  end(): void {
    this.client.end();
  }

  /** A long read that nobody announced, and what may follow it. */
  #foresee(at: number, length: number): void {
    const end = at + length;
    const sequel = at === this.#last;
    this.#last = end;
    if (!this.#stretches.has(at)) {
      this.#stretches.announce(at, length);
      this.#ahead = sequel ? AHEAD : 0;
      this.#guessed = end;
    } else if (end > this.#guessed || !sequel || this.#ahead === 0) return;
    if (this.#guessed - end > this.#ahead / 2) return;
    const more = Math.min(this.#ahead, this.size - this.#guessed);
    if (more <= 0) return;
    this.#stretches.announce(this.#guessed, more);
    this.#guessed += more;
    this.#ahead = Math.min(2 * this.#ahead, MOST_AHEAD);
  }

  /** Where partitions begin there will be something to read. */
  #lookAhead(): void {
    this.#looked = true;
    const head = Buffer.alloc(Math.min(this.size, this.#geometry.block, 32 * 1024));
    if (head.length < 1024 || this.#blocks.take(0, head) < head.length) return;
    for (const start of partitionStarts(head, this.size)) this.#blocks.ask(start);
  }

  /**
   * After a longer read has failed: no more than what is wanted.
   * @returns how many bytes
   * @throws GuestError `io`
   */
  #exactly(at: number, into: Uint8Array): number {
    const { minimum, unit } = this.#geometry;
    const from = at - (at % minimum);
    const wanted = Math.min(at + into.length, from + unit);
    const end = wanted + ((minimum - (wanted % minimum)) % minimum);
    const problem = this.#stretches.alone(from, end - from, (bytes) =>
      into.set(bytes.subarray(at - from, wanted - from)),
    );
    if (problem) throw failure(this.label, from, end - from, problem);
    return wanted - at;
  }
}

function failure(label: string, at: number, length: number, { text }: Problem): GuestError {
  return new GuestError('io', `the server cannot read ${length} bytes at ${at}: ${printable(text, 1000)}`, [
    label,
  ]);
}

/** A thread, and what it will be connected to. */
export interface Prepared {
  readonly label: string;
  readonly client: Client;
}

/**
 * A thread that has connected to nothing yet.
 * @param fd a connected socket, for a sandbox
 * @throws GuestError for what is not a URI that can be used, and for certificates that cannot be read
 */
export function prepareNbd(uri: string, limits: Limits = LIMITS, fd?: number): Prepared {
  const { label, setup } = setupOf(uri, limits, fd);
  return { label, client: new Client(label, setup) };
}

function setupOf(uri: string, limits: Limits, fd?: number) {
  const address = parseUri(uri);
  return { label: address.label, setup: { address, silentSeconds: limits.silentSeconds, fd } };
}

/** Connects. @throws GuestError */
export function openPrepared({ label, client }: Prepared): NbdSource {
  try {
    return new NbdSource(label, client, client.open());
  } catch (error) {
    void client.close();
    throw error;
  }
}

/** @param meanwhile is called while the thread starts. @throws GuestError */
export function openNbd(uri: string, limits: Limits = LIMITS, meanwhile?: () => void): NbdSource {
  const { label, setup } = setupOf(uri, limits);
  return openPrepared({ label, client: new Client(label, setup, true, meanwhile) });
}
