/**
 * Where the structures of a sound image lie: it is opened and walked once while every read of the disk, of a declared
 * structure and of a number is noted. So the mutations know fields by name without a second description of any format.
 */
import { hooks } from './hooks';

/** A number or text that a reader took from the image. */
export interface Place {
  /** Byte of the image; of what a decompressor gave where `unpacked`. */
  readonly at: number;
  readonly size: number;
  readonly big: boolean;
  /** Structure and field number, or the line of the source that read it: index into `groups`. */
  readonly group: number;
  /** The path that was being looked at; -1 while the image was opened. */
  readonly path: number;
}

export interface Survey {
  readonly groups: readonly string[];
  /** By group: indexes into `places`. */
  readonly members: readonly (readonly number[])[];
  readonly places: readonly Place[];
  /** Groups that were met while opening, and those that were met only later. */
  readonly early: readonly number[];
  readonly late: readonly number[];
  /** Instances of structures by name: where they lie. */
  readonly structs: ReadonlyMap<string, { readonly size: number; readonly at: readonly number[] }>;
  /** Stretches that were read: while opening, and later. */
  readonly touched: readonly (readonly [at: number, length: number, path: number])[];
  readonly paths: readonly string[];
  /** How many times something was decompressed; fields met in what came out. */
  readonly unpacks: number;
  readonly inside: readonly { readonly at: number; readonly size: number; readonly big: boolean }[];
}

const MOST_PLACES = 30_000;
/** Instances of one structure: a directory of thousands must not be all there is. */
const MOST_OF_A_GROUP = 400;

type Reader = (this: Buffer, at?: number) => unknown;

export class Recorder {
  /** Index of what is looked at now. */
  path = -1;
  readonly #where = new Map<ArrayBufferLike, [from: number, to: number, at: number][]>();
  readonly #unpacked = new Map<ArrayBufferLike, true>();
  readonly #names = new Map<string, number>();
  readonly #members: number[][] = [];
  readonly #early = new Set<number>();
  readonly #places: Place[] = [];
  readonly #seen = new Set<string>();
  readonly #structs = new Map<string, { size: number; at: number[] }>();
  readonly #touched = new Map<string, [number, number, number]>();
  readonly #inside: { at: number; size: number; big: boolean }[] = [];
  #unpacks = 0;
  #struct: { name: string; bytes: Buffer; at: number; size: number } | undefined;
  readonly #originals = new Map<string, Reader>();

  /** From here on everything is noted. */
  start(): void {
    hooks.struct = (name, bytes, at, size) => {
      this.#struct = { name, bytes, at, size };
      const place = this.#locate(bytes, at);
      if (place === undefined || place === 'unpacked') return;
      let known = this.#structs.get(name);
      if (!known) {
        known = { size, at: [] };
        this.#structs.set(name, known);
      }
      if (known.at.length < MOST_OF_A_GROUP && !known.at.includes(place)) known.at.push(place);
    };
    hooks.field = (bytes, at, size) => {
      const s = this.#struct;
      const inside = s && s.bytes === bytes && at >= s.at && at + size <= s.at + s.size;
      this.#note(bytes, at, size, false, inside ? `${s.name}+${at - s.at}` : `field of ${size}`);
    };
    hooks.unpacked = (into) => {
      this.#unpacks++;
      this.#unpacked.set(into.buffer, true);
    };
    const prototype = Buffer.prototype as unknown as Record<string, Reader>;
    for (const [method, size] of [
      ['readUInt16LE', 2],
      ['readUInt32LE', 4],
      ['readInt32LE', 4],
      ['readBigUInt64LE', 8],
      ['readUInt16BE', 2],
      ['readUInt32BE', 4],
      ['readInt32BE', 4],
      ['readBigUInt64BE', 8],
    ] as const) {
      const original = prototype[method]!;
      this.#originals.set(method, original);
      const recorder = this;
      prototype[method] = function (at = 0) {
        recorder.#note(this, at, size, method.endsWith('BE'), undefined);
        return original.call(this, at);
      };
    }
  }

  stop(): void {
    hooks.struct = hooks.field = hooks.unpacked = undefined;
    const prototype = Buffer.prototype as unknown as Record<string, Reader>;
    for (const [method, original] of this.#originals) prototype[method] = original;
    this.#originals.clear();
  }

  /** The disk was read at `at`. */
  readonly read = (at: number, into: Uint8Array): void => {
    const list = this.#where.get(into.buffer) ?? [];
    if (list.length === 0) this.#where.set(into.buffer, list);
    if (list.length > 64) list.splice(0, 32);
    list.push([into.byteOffset, into.byteOffset + into.length, at]);
    const key = `${at}+${into.length}`;
    if (!this.#touched.has(key) && this.#touched.size < 4000)
      this.#touched.set(key, [at, into.length, this.path]);
  };

  #locate(bytes: Buffer, at: number): number | 'unpacked' | undefined {
    const list = this.#where.get(bytes.buffer);
    const memory = bytes.byteOffset + at;
    if (list)
      for (let i = list.length - 1; i >= 0; i--) {
        const [from, to, disk] = list[i]!;
        if (memory >= from && memory < to) return disk + memory - from;
      }
    return this.#unpacked.has(bytes.buffer) ? 'unpacked' : undefined;
  }

  #note(bytes: Buffer, at: number, size: number, big: boolean, group: string | undefined): void {
    if (this.#places.length >= MOST_PLACES) return;
    const place = this.#locate(bytes, at);
    if (place === undefined) return;
    if (place === 'unpacked') {
      if (this.#inside.length < 2000) this.#inside.push({ at: bytes.byteOffset + at, size, big });
      return;
    }
    const key = `${place}/${size}`;
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    let name = group;
    if (name === undefined) {
      // The line that reads a number without a declared structure stands for its field.
      const holder: { stack?: string } = {};
      const before = Error.stackTraceLimit;
      Error.stackTraceLimit = 3;
      Error.captureStackTrace(holder);
      Error.stackTraceLimit = before;
      name = holder.stack?.split('\n')[3]?.trim() ?? 'number';
    }
    let index = this.#names.get(name);
    if (index === undefined) {
      index = this.#members.length;
      this.#names.set(name, index);
      this.#members.push([]);
    }
    if (this.path < 0) this.#early.add(index);
    const members = this.#members[index]!;
    if (members.length >= MOST_OF_A_GROUP) return;
    members.push(this.#places.length);
    this.#places.push({ at: place, size, big, group: index, path: this.path });
  }

  result(paths: readonly string[]): Survey {
    const all = this.#members.map((_, i) => i);
    return {
      groups: [...this.#names.keys()],
      members: this.#members,
      places: this.#places,
      early: all.filter((i) => this.#early.has(i)),
      late: all.filter((i) => !this.#early.has(i)),
      structs: this.#structs,
      touched: [...this.#touched.values()],
      paths,
      unpacks: this.#unpacks,
      inside: this.#inside,
    };
  }
}
