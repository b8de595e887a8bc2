/**
 * Guest files → descriptors, in chunks of 1 MiB; holes stay holes.
 *
 * Reading is synchronous, writing goes through one thread of libuv's pool, so that both processors of a small dom0 copy:
 * 39 MB to a tmpfs took 21 ms with one, 15 with two (a boot takes 60).
 */
import { ftruncateSync, write } from 'node:fs';
import type { Context } from '../bytes/budget';
import { corrupt, GuestError, hostError } from '../bytes/errors';
import { fileExtents } from '../fs/file';
import type { Extent, FileSystem, FsNode } from '../fs/types';
import { writeAll } from '../output/write';
import { readMany, readOnce } from '../source/types';

/** Waking the thread costs 70 µs on a virtual machine: not smaller. Three of them are held: not larger. */
const CHUNK = 1024 * 1024;

/** Chunks that are being filled or written at a time: one more than two, so that neither side waits for the other. */
const BUFFERS = 3;

/** Where copies go: `ChunkWriter`, or a library's own (lib/api/writer.ts). */
export interface Output {
  /** Bytes of output so far. */
  readonly position: number;
  /** Room in the buffer; when there is none, `await flush()`. */
  readonly room: number;
  /** Lets `fill` put exactly `length` (at most `room`) bytes straight into the buffer. */
  fillWith(length: number, fill: (into: Uint8Array) => void): void;
  bytes(data: Uint8Array): Promise<void>;
  zeros(length: number): Promise<void>;
  /** @throws GuestError `io` */
  flush(): Promise<void>;
  /** What is copied lies in hundreds of pieces or more. */
  many(): void;
  /** Writes what is left. @throws GuestError `io` */
  end(): Promise<void>;
}

/** A chunk that is being filled, and its place in the output. What is left out becomes a hole. */
export abstract class Chunked implements Output {
  protected buffer: Buffer = Buffer.allocUnsafeSlow(CHUNK);
  protected filled = 0;
  /** Place in the output where the buffer's first byte goes. */
  protected start = 0;

  constructor(
    readonly fd: number,
    readonly what: string,
  ) {}

  get position(): number {
    return this.start + this.filled;
  }

  get room(): number {
    return CHUNK - this.filled;
  }

  fillWith(length: number, fill: (into: Uint8Array) => void): void {
    // Not Buffer.subarray(), which takes three JavaScript calls.
    fill(new Uint8Array(this.buffer.buffer, this.buffer.byteOffset + this.filled, length));
    this.filled += length;
  }

  async bytes(data: Uint8Array): Promise<void> {
    for (let at = 0; at < data.length; ) {
      if (this.room === 0) await this.flush();
      const count = Math.min(this.room, data.length - at);
      const part = data.subarray(at, at + count);
      this.fillWith(count, (into) => into.set(part));
      at += count;
    }
  }

  /** Zeros: a few are written, many are left out. */
  async zeros(length: number): Promise<void> {
    if (length <= 4096 && length <= this.room) {
      this.fillWith(length, (into) => into.fill(0));
      return;
    }
    await this.flush();
    this.start += length;
  }

  abstract flush(): Promise<void>;
  abstract many(): void;
  abstract end(): Promise<void>;
}

/**
 * Writes chunks at their places while the next ones are filled. An error of the host's is thrown by the next call that waits.
 */
export class ChunkWriter extends Chunked {
  readonly #free: Buffer[] = [];
  #buffers = 1;
  #writing = 0;
  #failure: GuestError | undefined;
  #wake: (() => void) | undefined;

  /** Starts the write of what there is, and waits until there is a buffer again. @throws GuestError `io` */
  async flush(): Promise<void> {
    if (this.filled === 0) return;
    this.#write(this.buffer, this.filled, this.start);
    this.start += this.filled;
    this.filled = 0;
    if (this.#free.length === 0 && this.#buffers < BUFFERS) {
      this.#buffers++;
      this.#free.push(Buffer.allocUnsafeSlow(CHUNK));
    }
    while (this.#free.length === 0) await this.#change();
    if (this.#failure) throw this.#failure;
    this.buffer = this.#free.pop()!;
  }

  #change(): Promise<void> {
    return new Promise((done) => {
      this.#wake = done;
    });
  }

  #write(buffer: Buffer, length: number, place: number): void {
    this.#writing++;
    const go = (from: number): void => {
      write(this.fd, buffer, from, length - from, place + from, (error, count) => {
        if (error?.code === 'EINTR' || error?.code === 'EAGAIN') return go(from);
        if (!error && from + count < length) return go(from + count);
        if (error) this.#failure ??= hostError(`cannot write ${this.what}`, error);
        this.#writing--;
        this.#free.push(buffer);
        this.#wake?.();
      });
    };
    go(0);
  }

  /**
   * In thousands of fragments V8 finds code to optimize, and so takes the second processor from the writer for longer than the
   * copy lasts. `nodegrub` starts with the flag (cli/make-cache.ts); this is for who runs nodegrub.js. Later Nodes count
   * otherwise, and do not know it.
   */
  many(): void {
    if (process.execArgv.length > 0 || Number.parseInt(process.versions.node, 10) > 20) return;
    (require('node:v8') as typeof import('node:v8')).setFlagsFromString('--interrupt-budget=300000');
  }

  /** Writes what is left; a hole at the end becomes real size. @throws GuestError `io` */
  async end(): Promise<void> {
    if (this.#writing === 0 && this.filled > 0) {
      // All of a small file: no thread is woken for it.
      writeAll(this.fd, this.buffer.subarray(0, this.filled), this.what, this.start);
      this.start += this.filled;
      this.filled = 0;
    } else await this.flush();
    while (this.#writing > 0) await this.#change();
    if (this.#failure) throw this.#failure;
    try {
      ftruncateSync(this.fd, this.start);
    } catch (error) {
      throw hostError(`cannot write ${this.what}`, error);
    }
  }
}

/**
 * A gap up to this long is read with the fragments around it: a call of its own costs 8 to 15 µs (in a process that has just
 * started, with the writer beside it), as much as 50 KiB of a gap; and a disk reads on faster than it seeks.
 */
const GAP = 16 * 1024;
/** One up to this long where what follows is as long: no file makes us read much more than twice its size. */
const LONG_GAP = 64 * 1024;
/** Bytes of output after which a copy says that it goes on: over a slow line a megabyte may take seconds. */
const PROGRESS = CHUNK;
/** Extents looked at ahead of the one that is copied; with the gaps between them fewer than IOV_MAX (1024) buffers. */
const AHEAD = 256;

/**
 * Appends a guest file to the writer.
 * @throws GuestError what the filesystem says of the file, `limit` when it is too large, `io` when the host cannot write
 */
export async function copyFile(fs: FileSystem, node: FsNode, out: Output, ctx: Context): Promise<void> {
  ctx.budget.most('payloadBytes', out.position + node.size, 'bytes to be copied');
  ctx.budget.progress(true);
  let told = out.position;
  const tell = () => {
    told = out.position;
    ctx.budget.progress(false);
  };
  const gaps: Gaps = { bytes: new Uint8Array(LONG_GAP), ofLength: new Map() };
  const queue: Extent[] = [];
  const source = fileExtents(fs, node, ctx);
  let ended = false;
  let many = false;
  for (;;) {
    while (!ended && queue.length < AHEAD) {
      const next = source.next();
      if (next.done) ended = true;
      else {
        const { value } = next;
        queue.push(value);
        if (value.kind === 'data')
          value.source.willRead?.(value.at, Math.min(value.length, node.size - value.offset));
      }
      if (queue.length === AHEAD && !many) {
        many = true;
        out.many();
      }
    }
    const extent = queue.shift();
    if (!extent) break;
    if (out.position - told > PROGRESS) tell();
    const length = Math.min(extent.length, node.size - extent.offset);
    switch (extent.kind) {
      case 'hole':
        await out.zeros(length);
        break;
      case 'inline':
        await out.bytes(exactly(extent.bytes, length, node));
        break;
      case 'packed':
        await out.bytes(exactly(extent.unpack(), length, node));
        break;
      case 'data': {
        const run = together(extent, length, queue, out.room);
        if (run > 0) {
          readTogether([extent as DataExtent, ...(queue.splice(0, run) as DataExtent[])], out, gaps);
          break;
        }
        for (let done = 0; done < length; ) {
          if (out.room === 0) await out.flush();
          const count = Math.min(out.room, length - done);
          const at = extent.at + done;
          out.fillWith(count, (into) => readOnce(extent.source, at, into));
          done += count;
          if (out.position - told > PROGRESS) tell();
        }
      }
    }
  }
}

function exactly(bytes: Uint8Array, length: number, node: FsNode): Uint8Array {
  if (bytes.length < length)
    throw corrupt(`${bytes.length} bytes where ${length} are promised, in ${node.id}`);
  return bytes.subarray(0, length);
}

type DataExtent = Extract<Extent, { kind: 'data' }>;

/** How many of the coming extents are to be read with this one: those that follow closely and fit. */
function together(first: DataExtent, length: number, coming: readonly Extent[], room: number): number {
  if (!first.source.readMany || length > room) return 0;
  let end = first.at + length;
  let place = first.offset + length;
  let useful = length;
  let count = 0;
  for (const next of coming) {
    if (next.kind !== 'data' || next.source !== first.source || next.offset !== place) break;
    if (
      next.at < end ||
      next.at > end + Math.max(GAP, Math.min(LONG_GAP, next.length)) ||
      useful + next.length > room
    )
      break;
    end = next.at + next.length;
    place += next.length;
    useful += next.length;
    count++;
  }
  // The last one may reach beyond the file's end: it is read alone.
  return count > 0 && count === coming.length ? count - 1 : count;
}

/** Where what lies between fragments is read to. On an aged disk most gaps are alike. */
interface Gaps {
  readonly bytes: Uint8Array;
  readonly ofLength: Map<number, Uint8Array>;
}

/** One read for all, straight to their places in the output. */
function readTogether(run: readonly DataExtent[], out: Output, gaps: Gaps): void {
  const { source, at } = run[0]!;
  let total = 0;
  for (const extent of run) total += extent.length;
  out.fillWith(total, (into) => {
    const buffers: Uint8Array[] = [];
    const { buffer, byteOffset } = into;
    let end = at;
    let fill = 0;
    for (const extent of run) {
      const length = extent.at - end;
      if (length > 0) {
        let gap = gaps.ofLength.get(length);
        if (!gap) {
          gap = gaps.bytes.subarray(0, length);
          gaps.ofLength.set(length, gap);
        }
        buffers.push(gap);
      }
      // Not Buffer.subarray(), which takes three JavaScript calls.
      buffers.push(new Uint8Array(buffer, byteOffset + fill, extent.length));
      fill += extent.length;
      end = extent.at + extent.length;
    }
    try {
      readMany(source, at, buffers);
    } catch (error) {
      if (!(error instanceof GuestError) || error.code !== 'io') throw error;
      // A bad sector may lie in a gap.
      fill = 0;
      for (const extent of run) {
        readOnce(source, extent.at, into.subarray(fill, fill + extent.length));
        fill += extent.length;
      }
    }
  });
}
