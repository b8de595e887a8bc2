/**
 * The .xz container: streams, blocks, index, checks; LZMA2 and the filters of bcj.ts.
 * Source: "The .xz File Format", version 1.2.1 (tukaani.org); LZMA2: xz, src/liblzma/lzma/lzma2_decoder.c and
 * Linux, lib/xz/xz_dec_lzma2.c, for the control bytes.
 */
import { crc32 as plainCrc32 } from '../crc32';
import { corrupt, limit, unsupported } from '../errors';
import { branchFilter, delta } from './bcj';
import { full } from './full';
import { LzmaCoder, lzmaProperties } from './lzma';

const MAGIC = Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]);
const FOOTER_MAGIC = 0x5a59;
const STREAM_HEADER = 12;
const STREAM_FOOTER = 12;
const FILTER_DELTA = 3;
const FILTER_LZMA2 = 0x21;
const MOST_FILTERS = 4;
/** Bytes of a check by its number: the specification fixes them even for those without a name. */
const CHECK_SIZES = [0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64];

/** Native where Node has it (20.15, 22.2): a check must not cost more than the decoding. */
function crc32(bytes: Uint8Array): number {
  const zlib = require('node:zlib') as { crc32?: (data: Uint8Array) => number };
  return zlib.crc32 ? zlib.crc32(bytes) : plainCrc32(bytes);
}

/** CRC-64 of ECMA-182, reflected, as two halves: reflected polynomial c96c5795d7870f42. */
function crc64(bytes: Uint8Array): readonly [high: number, low: number] {
  const highs = new Int32Array(256);
  const lows = new Int32Array(256);
  for (let b = 0; b < 256; b++) {
    let high = 0;
    let low = b;
    for (let bit = 0; bit < 8; bit++) {
      const odd = low & 1;
      low = (low >>> 1) | (high << 31);
      high >>>= 1;
      if (odd) {
        high ^= 0xc96c5795;
        low ^= 0xd7870f42;
      }
    }
    highs[b] = high;
    lows[b] = low;
  }
  let high = -1;
  let low = -1;
  for (let i = 0; i < bytes.length; i++) {
    const b = (low ^ bytes[i]!) & 0xff;
    low = ((low >>> 8) | (high << 24)) ^ lows[b]!;
    high = (high >>> 8) ^ highs[b]!;
  }
  return [~high >>> 0, ~low >>> 0];
}

/** Says whether `check` (of kind `kind`) belongs to `bytes`; kinds without a name here are taken as they are. */
function matches(kind: number, check: Buffer, bytes: Uint8Array): boolean {
  switch (kind) {
    case 1:
      return check.readUInt32LE(0) === crc32(bytes);
    case 4: {
      const [high, low] = crc64(bytes);
      return check.readUInt32LE(0) === low && check.readUInt32LE(4) === high;
    }
    case 10: {
      const { createHash } = require('node:crypto') as typeof import('node:crypto');
      return createHash('sha256').update(bytes).digest().equals(check);
    }
    default:
      return true;
  }
}

/** A place in the input that only moves forward. */
class Input {
  constructor(
    readonly bytes: Buffer,
    public at = 0,
    readonly end = bytes.length,
  ) {}

  byte(): number {
    if (this.at >= this.end) throw corrupt(`xz: the input ends after ${this.end} bytes`);
    return this.bytes[this.at++]!;
  }

  take(length: number): Buffer {
    if (length > this.end - this.at) throw corrupt(`xz: the input ends after ${this.end} bytes`);
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  /** Seven bits a byte, lowest first, no needless zero byte at the end. */
  number(): number {
    let value = 0;
    for (let i = 0; i < 9; i++) {
      const b = this.byte();
      value += (b & 0x7f) * 2 ** (7 * i);
      if (b < 0x80) {
        if (b === 0 && i > 0) throw corrupt('xz: a number with a zero at its end');
        if (!Number.isSafeInteger(value)) throw corrupt('xz: a number beyond 2^53');
        return value;
      }
    }
    throw corrupt('xz: a number of more than nine bytes');
  }

  /** Zeros up to a multiple of four, counted from `start`. */
  padding(start: number): void {
    while ((this.at - start) % 4 !== 0)
      if (this.byte() !== 0) throw corrupt(`xz: padding at ${this.at - 1} is not zero`);
  }
}

/** What a block's header says. */
interface Block {
  readonly packedSize: number | undefined;
  readonly size: number | undefined;
  readonly dictionarySize: number;
  /** In the order in which they are undone. */
  readonly filters: readonly ((bytes: Buffer) => void)[];
}

function blockHeader(input: Input, first: number): Block {
  const start = input.at - 1;
  const size = (first + 1) * 4;
  const header = new Input(input.bytes, input.at, input.at - 1 + size - 4);
  const raw = input.take(size - 1);
  if (crc32(input.bytes.subarray(start, start + size - 4)) !== raw.readUInt32LE(size - 5))
    throw corrupt(`xz: checksum of the block header at ${start}`);
  const flags = header.byte();
  if (flags & 0x3c) throw unsupported(`xz block flags 0x${flags.toString(16)}`);
  const packedSize = flags & 0x40 ? header.number() : undefined;
  const fullSize = flags & 0x80 ? header.number() : undefined;
  const count = (flags & 3) + 1;
  const filters: ((bytes: Buffer) => void)[] = [];
  let dictionarySize = 0;
  for (let i = 0; i < count && i < MOST_FILTERS; i++) {
    const id = header.number();
    const properties = header.take(header.number());
    if ((i === count - 1) !== (id === FILTER_LZMA2))
      throw unsupported(`xz filter 0x${id.toString(16)} in place ${i + 1} of ${count}`);
    if (id === FILTER_LZMA2) {
      const bits = properties[0] ?? 0xff;
      if (properties.length !== 1 || bits > 40) throw corrupt(`xz: LZMA2 dictionary size ${bits}`);
      dictionarySize = bits === 40 ? 2 ** 32 - 1 : (2 | (bits & 1)) * 2 ** ((bits >> 1) + 11);
    } else if (id === FILTER_DELTA) {
      if (properties.length !== 1) throw corrupt(`xz: delta filter with ${properties.length} bytes`);
      const distance = properties[0]! + 1;
      filters.unshift((bytes) => delta(bytes, distance));
    } else {
      if (properties.length !== 0 && properties.length !== 4)
        throw corrupt(`xz: branch filter with ${properties.length} bytes`);
      const offset = properties.length === 4 ? properties.readUInt32LE(0) : 0;
      const filter = branchFilter(id, offset);
      filters.unshift((bytes) => filter(bytes, offset));
    }
  }
  while (header.at < header.end)
    if (header.byte() !== 0) throw unsupported(`xz block header with more than it should have at ${start}`);
  return { packedSize, size: fullSize, dictionarySize, filters };
}

/** What is kept from block to block: the coder's memory. */
interface Keeper {
  readonly coder: LzmaCoder;
  /** Bytes that the dictionary and the coder may take. */
  readonly memoryLimit: number;
  /** Called each time another megabyte has come out; `told`: how much had at the last. */
  readonly tick: (() => void) | undefined;
  told: number;
}

/** LZMA2 into `into` from `begin`; returns where the output ends. */
function lzma2(input: Input, into: Buffer, begin: number, dictionarySize: number, keep: Keeper): number {
  const { coder } = keep;
  let at = begin;
  let floor = begin;
  let needDictionary = true;
  let needProperties = true;
  let needState = true;
  for (;;) {
    const control = input.byte();
    if (control === 0) return at;
    if (control === 1 || control >= 0xe0) {
      // A new dictionary, and new properties with the next LZMA chunk.
      needDictionary = false;
      needProperties = true;
      floor = at;
    } else if (needDictionary)
      throw corrupt(`xz: LZMA2 chunk 0x${control.toString(16)} without a dictionary`);
    if (control < 0x80) {
      if (control > 2) throw corrupt(`xz: LZMA2 control byte 0x${control.toString(16)}`);
      const size = input.take(2).readUInt16BE(0) + 1;
      if (size > into.length - at) throw full('xz', into.length);
      into.set(input.take(size), at);
      at += size;
      continue;
    }
    const size = ((control & 0x1f) << 16) + input.take(2).readUInt16BE(0) + 1;
    const packed = input.take(2).readUInt16BE(0) + 1;
    if (control >= 0xc0) {
      const properties = lzmaProperties(input.byte());
      if (properties.lc + properties.lp > 4)
        throw corrupt(`xz: ${properties.lc} and ${properties.lp} literal bits, together at most 4`);
      coder.setProperties(properties);
      needProperties = false;
      needState = false;
      coder.reset();
    } else if (needProperties) throw corrupt('xz: LZMA2 chunk without properties');
    else if (control >= 0xa0) {
      coder.reset();
      needState = false;
    } else if (needState) throw corrupt('xz: LZMA2 chunk without a state');
    if (size > into.length - at) throw full('xz', into.length);
    const start = input.at;
    input.take(packed);
    if (at - keep.told >= 2 ** 20) {
      keep.told = at;
      keep.tick?.();
    }
    const exact = { exact: true };
    coder.run(input.bytes, start, input.at, into, at, at + size, floor, dictionarySize, exact);
    at += size;
  }
}

/** One stream; returns where the output ends. */
function stream(input: Input, into: Buffer, begin: number, keep: Keeper): number {
  const start = input.at;
  const header = input.take(STREAM_HEADER);
  if (!header.subarray(0, 6).equals(MAGIC)) throw corrupt(`xz: no magic at ${start}`);
  if (crc32(header.subarray(6, 8)) !== header.readUInt32LE(8)) throw corrupt('xz: checksum of the header');
  const kind = header[7]!;
  if (header[6] !== 0 || kind > 15)
    throw unsupported(`xz stream flags 0x${header.readUInt16BE(6).toString(16)}`);
  const checkSize = CHECK_SIZES[kind]!;

  let at = begin;
  const records: { readonly unpadded: number; readonly size: number }[] = [];
  for (;;) {
    const blockStart = input.at;
    const first = input.byte();
    if (first === 0) break;
    const block = blockHeader(input, first);
    const used = Math.min(block.dictionarySize, into.length);
    if (used > keep.memoryLimit)
      throw limit(`xz: a dictionary of ${used} bytes, at most ${keep.memoryLimit}`);
    const dataStart = input.at;
    const end = lzma2(input, into, at, block.dictionarySize, keep);
    const packedSize = input.at - dataStart;
    if (block.packedSize !== undefined && block.packedSize !== packedSize)
      throw corrupt(`xz: a block of ${packedSize} bytes, its header says ${block.packedSize}`);
    if (block.size !== undefined && block.size !== end - at)
      throw corrupt(`xz: a block gives ${end - at} bytes, its header says ${block.size}`);
    const out = into.subarray(at, end);
    for (const filter of block.filters) filter(out);
    input.padding(start);
    if (!matches(kind, input.take(checkSize), out)) throw corrupt(`xz: check of the block at ${blockStart}`);
    const padding = (4 - (packedSize % 4)) % 4;
    records.push({ unpadded: input.at - blockStart - padding, size: end - at });
    at = end;
  }

  const indexStart = input.at - 1;
  const count = input.number();
  if (count !== records.length)
    throw corrupt(`xz: the index has ${count} blocks, there are ${records.length}`);
  for (const record of records) {
    const unpadded = input.number();
    const size = input.number();
    if (unpadded !== record.unpadded || size !== record.size)
      throw corrupt(
        `xz: the index says ${unpadded} and ${size} bytes, not ${record.unpadded} and ${record.size}`,
      );
  }
  input.padding(start);
  const indexSize = input.at - indexStart + 4;
  if (crc32(input.bytes.subarray(indexStart, input.at)) !== input.take(4).readUInt32LE(0))
    throw corrupt('xz: checksum of the index');
  const footer = input.take(STREAM_FOOTER);
  if (footer.readUInt16LE(10) !== FOOTER_MAGIC || footer.readUInt16LE(8) !== header.readUInt16LE(6))
    throw corrupt('xz: the footer does not belong to the header');
  if (crc32(footer.subarray(4, 10)) !== footer.readUInt32LE(0)) throw corrupt('xz: checksum of the footer');
  if ((footer.readUInt32LE(4) + 1) * 4 !== indexSize)
    throw corrupt('xz: the footer gives another index size');
  return at;
}

/**
 * All streams of an .xz file, one after the other, with padding between and behind them. Anything else behind the last
 * one is `corrupt`.
 *
 * @param memoryLimit bytes that a dictionary may take (64 MiB is what `xz -9` makes). It never takes more than `into`.
 * @param tick is called while a large output is made: sign of life
 * @returns bytes written into `into`
 * @throws GuestError `corrupt`: bad data, a wrong check, or more output than `into` holds; `limit`; `unsupported`: a
 *   filter or flag of a newer format
 */
export function xz(from: Uint8Array, into: Uint8Array, memoryLimit: number, tick?: () => void): number {
  const input = new Input(Buffer.from(from.buffer, from.byteOffset, from.length));
  const out = Buffer.from(into.buffer, into.byteOffset, into.length);
  const keep: Keeper = { coder: new LzmaCoder(), memoryLimit, tick, told: 0 };
  let at = stream(input, out, 0, keep);
  while (input.at < input.end) {
    const next = input.bytes[input.at]!;
    if (next === 0) {
      if (input.take(4).readUInt32LE(0) !== 0) throw corrupt(`xz: padding before ${input.at} is not zero`);
    } else at = stream(input, out, at, keep);
  }
  return at;
}
