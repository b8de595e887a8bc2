/**
 * The container of lzop(1): LZO1X in blocks with checksums. Sources: lzop 1.04's format as its manual and Linux'
 * lib/decompress_unlzo.c read it. All numbers have their highest byte first.
 */
import { crc32 } from '../crc32';
import { corrupt, unsupported } from '../errors';
import { lzo1x } from './lzo';

const MAGIC = '\x89LZO\0\r\n\x1a\n';
const FLAG = {
  adlerOut: 0x1,
  adlerIn: 0x2,
  extra: 0x40,
  crcOut: 0x100,
  crcIn: 0x200,
  manyParts: 0x400,
  filter: 0x800,
  headerCrc: 0x1000,
};
/** Versions from which a header has the fields that are needed to unpack it, level and upper half of the time. */
const SECOND = 0x940;
/** What lzop itself makes; Linux takes no more. */
const BLOCK = 256 * 1024;

/** Adler-32 (RFC 1950). */
export function adler32(bytes: Uint8Array): number {
  let a = 1;
  let b = 0;
  for (let at = 0; at < bytes.length; ) {
    // So many before either sum can pass 2^32.
    for (const end = Math.min(bytes.length, at + 5552); at < end; at++) {
      a += bytes[at]!;
      b += a;
    }
    a %= 65521;
    b %= 65521;
  }
  return ((b << 16) | a) >>> 0;
}

class Input {
  at = 0;
  constructor(readonly bytes: Buffer) {}

  take(length: number): Buffer {
    if (length > this.bytes.length - this.at)
      throw corrupt(`lzop: the input ends after ${this.bytes.length} bytes`);
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  number(size: number): number {
    return this.take(size).readUIntBE(0, size);
  }
}

/** @returns the flags */
function header(input: Input): number {
  if (input.take(MAGIC.length).toString('latin1') !== MAGIC) throw corrupt('lzop: no header');
  const start = input.at;
  const version = input.number(2);
  if (version < 0x900) throw unsupported(`lzop version 0x${version.toString(16)}`);
  input.take(2);
  if (version >= SECOND) input.take(2);
  const method = input.number(1);
  // 1 to 3: how hard the packer tried.
  if (method < 1 || method > 3) throw unsupported(`lzop method ${method}`);
  if (version >= SECOND) input.take(1);
  const flags = input.number(4);
  if (flags & FLAG.filter) throw unsupported('an lzop filter');
  if (flags & FLAG.manyParts) throw unsupported('an lzop archive of several parts');
  input.take(version >= SECOND ? 12 : 8);
  input.take(input.number(1));
  const text = input.bytes.subarray(start, input.at);
  if (input.number(4) !== (flags & FLAG.headerCrc ? crc32(text) : adler32(text)))
    throw corrupt('lzop: check of the header');
  if (flags & FLAG.extra) {
    input.take(input.number(4));
    input.take(4);
  }
  return flags;
}

/**
 * All blocks of one stream; what follows its end is not looked at. A piece is valid until the next one is asked for.
 * @param work is told of each piece before it is made: bytes that will be held or looked at
 * @throws GuestError `corrupt`, a wrong check among it; `unsupported`
 */
export function* lzop(from: Uint8Array, work: (bytes: number) => void): Generator<Uint8Array> {
  const input = new Input(Buffer.from(from.buffer, from.byteOffset, from.length));
  const flags = header(input);
  work(BLOCK);
  const into = Buffer.allocUnsafeSlow(BLOCK);
  for (;;) {
    const size = input.number(4);
    if (size === 0) return;
    const packedSize = input.number(4);
    if (size > BLOCK || packedSize > size) throw corrupt(`lzop: a block of ${packedSize} → ${size} bytes`);
    const adler = flags & FLAG.adlerOut ? input.number(4) : undefined;
    const crc = flags & FLAG.crcOut ? input.number(4) : undefined;
    if (packedSize < size) input.take((flags & FLAG.adlerIn ? 4 : 0) + (flags & FLAG.crcIn ? 4 : 0));
    work(packedSize + size);
    const packed = input.take(packedSize);
    const out = into.subarray(0, size);
    if (packedSize === size) out.set(packed);
    else {
      const length = lzo1x(packed, out);
      if (length !== size) throw corrupt(`lzop: ${length} bytes come out of a block of ${size}`);
    }
    if ((adler !== undefined && adler32(out) !== adler) || (crc !== undefined && crc32(out) !== crc))
      throw corrupt(`lzop: check of the block before byte ${input.at}`);
    yield out;
  }
}
