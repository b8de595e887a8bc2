/** The decompressors, bare, on damaged streams. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { deflateRawSync, deflateSync, gunzipSync } from 'node:zlib';
import { unpackLznt1 } from '../../fsdrivers/ntfs/lznt1';
import { bzip2 } from '../../lib/bytes/decompress/bzip2';
import { inflateRaw, inflateZlib } from '../../lib/bytes/decompress/inflate';
import { lz4Block } from '../../lib/bytes/decompress/lz4';
import { lz4Legacy } from '../../lib/bytes/decompress/lz4-legacy';
import { lzma, microLzma } from '../../lib/bytes/decompress/lzma';
import { lzo1x } from '../../lib/bytes/decompress/lzo';
import { lzop } from '../../lib/bytes/decompress/lzop';
import { xz } from '../../lib/bytes/decompress/xz';
import { zstd } from '../../lib/bytes/decompress/zstd';
import { GuestError } from '../../lib/bytes/errors';
import { lz4Pieces, lzopPieces, microFrom } from '../../test/bytes/containers';
import { hooks } from '../hooks';
import { interesting } from '../mutate';
import type { Random } from '../random';
import type { Target } from '../target';

interface PackedCase {
  readonly bytes: Buffer;
  readonly room: number;
  readonly partial: boolean;
  readonly sums: boolean;
}

type Decompress = (from: Buffer, into: Buffer, partial: boolean) => unknown;

/** Room for what comes out; a byte that none of the decompressors begins with tells whether anything came. */
const INTO = Buffer.alloc(96 * 1024);

class PackedTarget implements Target<PackedCase> {
  readonly kind = 'parser';
  readonly weight = 1;
  constructor(
    readonly name: string,
    readonly corpus: readonly Buffer[],
    readonly decompress: Decompress,
  ) {
    if (corpus.length === 0) throw new Error(`fuzz: ${name} has no streams`);
  }

  make(random: Random): PackedCase {
    const sound = random.pick(this.corpus);
    let bytes = Buffer.from(sound);
    for (let n = 1 + random.skewed(5); n > 0 && bytes.length > 8; n--) {
      // Headers are at the start; what comes late is met seldom.
      const at = random.chance(0.5) ? random.skewed(bytes.length) : random.below(bytes.length);
      const size = Math.min(random.pick([1, 1, 1, 2, 4, 8]), bytes.length - at);
      switch (random.below(7)) {
        case 0:
        case 1:
          bytes[at]! ^= 1 << random.below(8);
          break;
        case 2: {
          let old = 0n;
          for (let i = 0; i < size; i++) old |= BigInt(bytes[at + i]!) << BigInt(8 * i);
          let value = BigInt.asUintN(size * 8, interesting(random, old, size, bytes.length));
          for (let i = 0; i < size; i++, value >>= 8n) bytes[at + i] = Number(value & 0xffn);
          break;
        }
        case 3:
          bytes = bytes.subarray(0, at);
          break;
        case 4: {
          const other = random.pick(this.corpus);
          const from = random.below(other.length);
          other.copy(bytes, at, from, from + random.below(64));
          break;
        }
        case 5:
          bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at, at + size), bytes.subarray(at)]);
          break;
        default:
          for (let i = 0; i < size; i++) bytes[at + i] = random.below(256);
      }
    }
    return {
      bytes,
      room: random.pick([INTO.length, INTO.length, 65536, 4096, 1000, 17, 0]),
      partial: random.chance(0.2),
      sums: random.chance(0.8),
    };
  }

  run({ bytes, room, partial, sums }: PackedCase): boolean {
    const into = INTO.subarray(0, room);
    into.fill(0xa5);
    hooks.sums = sums;
    try {
      this.decompress(bytes, into, partial);
      return true;
    } catch (error) {
      if (!(error instanceof GuestError)) throw error;
      return room > 8 && (into[0] !== 0xa5 || into[1] !== 0xa5 || into[2] !== 0xa5);
    } finally {
      hooks.sums = false;
    }
  }

  *smaller(input: PackedCase): Generator<PackedCase> {
    const { bytes } = input;
    for (let size = bytes.length >> 1; size >= 1; size >>= 1)
      yield { ...input, bytes: bytes.subarray(0, bytes.length - size) };
  }

  files({ bytes, room, partial, sums }: PackedCase): Record<string, Buffer | string> {
    return { '.bin': bytes, '.json': `${JSON.stringify({ room, partial, sums })}\n` };
  }
}

/** As much as there is room for: a caller of a generator stops where its limit is. */
function pieces(all: Iterable<Uint8Array>, into: Buffer): number {
  let at = 0;
  for (const piece of all) {
    const part = piece.subarray(0, into.length - at);
    into.set(part, at);
    at += part.length;
    if (at === into.length) break;
  }
  return at;
}

export function packedTargets(root: string): Target[] {
  const kernel = (name: string) => readFileSync(join(root, 'fixtures/kernels', name));
  const folder = join(root, 'fixtures/packed');
  const of = (ending: string): Buffer[] =>
    readdirSync(folder)
      .filter((n) => n.endsWith(ending))
      .map((n) => readFileSync(join(folder, n)))
      .filter((b) => b.length < 100_000);
  const plain = gunzipSync(readFileSync(join(folder, 'sample.gz'))).subarray(0, 60_000);
  const small = plain.subarray(0, 6000);
  const lzmas = of('.lzma');
  /** With the size of the output in the header, where the tool has left it open. */
  const sized = (bytes: Buffer): Buffer => {
    const copy = Buffer.from(bytes);
    copy.writeBigUInt64LE(BigInt(plain.length), 5);
    return copy;
  };
  const lzntOf = (bytes: Buffer): Buffer => {
    // Chunks as stored, and two made by hand with back references.
    const parts: Buffer[] = [];
    for (let at = 0; at < 8192; at += 4096) {
      const chunk = bytes.subarray(at, at + 4096);
      const head = Buffer.alloc(2);
      head.writeUInt16LE(0x3000 | (chunk.length - 1));
      parts.push(head, chunk);
    }
    const packed = Buffer.from([
      0x02, 0x61, 0xff, 0x0f, 0x00, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69,
    ]);
    const head = Buffer.alloc(2);
    head.writeUInt16LE(0xb000 | (packed.length - 1));
    return Buffer.concat([head, packed, ...parts]);
  };
  return [
    new PackedTarget('inflate', [deflateRawSync(plain), deflateRawSync(small)], (f, i, p) =>
      inflateRaw(f, i, p),
    ),
    new PackedTarget('zlib', [deflateSync(plain), deflateSync(small)], (f, i, p) => inflateZlib(f, i, p)),
    new PackedTarget(
      'lz4',
      of('.lz4').map((b) => lz4Pieces(b)[0]!.packed),
      (f, i, p) => lz4Block(f, i, undefined, p),
    ),
    new PackedTarget(
      'lzo',
      of('.lzo').map((b) => lzopPieces(b)[0]!.packed),
      (f, i) => lzo1x(f, i),
    ),
    new PackedTarget('xz', of('.xz'), (f, i) => xz(f, i, 1 << 24)),
    new PackedTarget('lzma', [...lzmas, ...lzmas.map(sized)], (f, i) => lzma(f, i)),
    new PackedTarget('microlzma', lzmas.map(microFrom), (f, i, p) => microLzma(f, i, p)),
    new PackedTarget('zstd', of('.zst'), (f, i, p) => zstd(f, i, { own: true, partial: p })),
    new PackedTarget('bzip2', of('.bz2'), (f, i) =>
      pieces(
        bzip2(f, () => {}),
        i,
      ),
    ),
    new PackedTarget('lz4-legacy', [kernel('Image.lz4')], (f, i) =>
      pieces(
        lz4Legacy(f, () => {}),
        i,
      ),
    ),
    new PackedTarget('lzop', of('.lzo'), (f, i) =>
      pieces(
        lzop(f, () => {}),
        i,
      ),
    ),
    new PackedTarget('lznt1', [lzntOf(plain)], (f, i) => unpackLznt1(f, i)),
  ];
}
