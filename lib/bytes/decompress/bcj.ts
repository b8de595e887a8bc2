/**
 * The branch filters of xz: an encoder wrote the absolute targets of calls and jumps, which repeat, in place of relative
 * ones; here they become relative again, in place. And the delta filter. Each works on one whole block.
 * Source: the .xz file format 1.2.1, 5.3.2 and 5.3.3; the xz and Linux decoders (0BSD, public domain) for the encodings.
 */
import { unsupported } from '../errors';

/** @param start place of `bytes[0]` in what the filter counts: the filter's start offset */
export type BranchFilter = (bytes: Buffer, start: number) => void;

/** The top byte of a 32-bit target that is near: all zeros or all ones. */
const near = (byte: number): boolean => byte === 0 || byte === 0xff;

/** Opcodes e8 (call) and e9 (jmp) with a 32-bit operand; bytes shortly before an opcode decide whether it is taken for one. */
function x86(bytes: Buffer, start: number): void {
  /** Bits 0 to 2: an opcode byte was met one, two, three bytes ago and not converted. */
  let recent = 0;
  let last = -1;
  for (let i = 0; i < bytes.length - 4; i++) {
    if ((bytes[i]! & 0xfe) !== 0xe8) continue;
    const gap = i - last;
    last = i;
    recent = gap > 3 ? 0 : (recent << (gap - 1)) & 7;
    if (recent !== 0) {
      // Which byte of the operand an earlier opcode would have had on top; three patterns are never converted.
      const back = recent >= 4 ? 3 : recent >= 2 ? 2 : 1;
      const allowed = recent === 1 || recent === 2 || recent === 4;
      if (!allowed || near(bytes[i + 4 - back]!)) {
        recent = (recent << 1) | 1;
        continue;
      }
    }
    if (!near(bytes[i + 4]!)) {
      recent = (recent << 1) | 1;
      continue;
    }
    let from = bytes.readInt32LE(i + 1);
    let to = (from - (start + i + 5)) | 0;
    if (recent !== 0) {
      const shift = 8 * (recent >= 4 ? 3 : recent >= 2 ? 2 : 1);
      while (near((to >>> (24 - shift)) & 0xff)) {
        from = to ^ ((1 << (32 - shift)) - 1);
        to = (from - (start + i + 5)) | 0;
      }
    }
    // 25 bits are kept, the rest repeats the sign.
    bytes.writeInt32LE((to << 7) >> 7, i + 1);
    i += 4;
  }
}

/** `bl` with an absolute target: bits 2 to 25. */
function powerpc(bytes: Buffer, start: number): void {
  for (let i = 0; i + 4 <= bytes.length; i += 4) {
    const word = bytes.readInt32BE(i);
    if ((word & 0xfc000003) >>> 0 !== 0x48000001) continue;
    const to = (word & 0x03fffffc) - (start + i);
    bytes.writeInt32BE((to & 0x03fffffc) | 0x48000001, i);
  }
}

/** Which of the three slots of a 128-bit bundle hold a branch, by the bundle's template. */
const IA64_BRANCH_SLOTS = [...new Array<number>(16).fill(0), 4, 4, 6, 6, 0, 0, 7, 7, 4, 4, 0, 0, 4, 4, 0, 0];

/** IP-relative calls and branches: a 21-bit count of bundles, split over the 41-bit slot. */
function ia64(bytes: Buffer, start: number): void {
  for (let i = 0; i + 16 <= bytes.length; i += 16) {
    const slots = IA64_BRANCH_SLOTS[bytes[i]! & 0x1f]!;
    for (let slot = 0; slot < 3; slot++) {
      if (((slots >> slot) & 1) === 0) continue;
      const bit = 5 + 41 * slot;
      const at = i + (bit >> 3);
      const shift = BigInt(bit & 7);
      const word = BigInt(bytes.readUIntLE(at, 6));
      const code = word >> shift;
      if (((code >> 37n) & 0xfn) !== 5n || ((code >> 9n) & 7n) !== 0n) continue;
      const target = Number((code >> 13n) & 0xfffffn) | (Number((code >> 36n) & 1n) << 20);
      const to = BigInt(((target * 16 - (start + i)) >>> 4) & 0x1fffff);
      const kept = code & ~(0x8fffffn << 13n);
      const made = kept | ((to & 0xfffffn) << 13n) | ((to & 0x100000n) << 16n);
      const low = word & ((1n << shift) - 1n);
      bytes.writeUIntLE(Number((low | (made << shift)) & 0xffffffffffffn), at, 6);
    }
  }
}

/** `bl`, always executed: a 24-bit count of words. */
function arm(bytes: Buffer, start: number): void {
  for (let i = 0; i + 4 <= bytes.length; i += 4) {
    if (bytes[i + 3] !== 0xeb) continue;
    const to = (bytes.readUIntLE(i, 3) * 4 - (start + i + 8)) >>> 2;
    bytes.writeUIntLE(to & 0xffffff, i, 3);
  }
}

/** `bl` as two 16-bit halves. */
function armThumb(bytes: Buffer, start: number): void {
  for (let i = 0; i + 4 <= bytes.length; i += 2) {
    const high = bytes.readUInt16LE(i);
    const low = bytes.readUInt16LE(i + 2);
    if ((high & 0xf800) !== 0xf000 || (low & 0xf800) !== 0xf800) continue;
    const target = ((high & 0x7ff) << 11) | (low & 0x7ff);
    const to = (target * 2 - (start + i + 4)) >>> 1;
    bytes.writeUInt16LE(0xf000 | ((to >>> 11) & 0x7ff), i);
    bytes.writeUInt16LE(0xf800 | (to & 0x7ff), i + 2);
    i += 2;
  }
}

/** `call` whose 30-bit displacement is small. */
function sparc(bytes: Buffer, start: number): void {
  for (let i = 0; i + 4 <= bytes.length; i += 4) {
    const word = bytes.readUInt32BE(i);
    if (word >>> 22 !== 0x100 && word >>> 22 !== 0x1ff) continue;
    const to = ((word << 2) - (start + i)) >>> 2;
    const sign = (to & 0x400000) !== 0 ? 0x3fc00000 : 0;
    bytes.writeUInt32BE((0x40000000 | sign | (to & 0x3fffff)) >>> 0, i);
  }
}

/** `bl` with 26 bits, and `adrp` within 512 MiB of pages. */
function arm64(bytes: Buffer, start: number): void {
  for (let i = 0; i + 4 <= bytes.length; i += 4) {
    const word = bytes.readUInt32LE(i);
    if (word >>> 26 === 0x25) {
      const to = word - ((start + i) >>> 2);
      bytes.writeUInt32LE((0x94000000 | (to & 0x03ffffff)) >>> 0, i);
    } else if ((word & 0x9f000000) >>> 0 === 0x90000000) {
      const target = ((word >>> 29) & 3) | ((word >>> 3) & 0x1ffffc);
      if (((target + 0x020000) & 0x1c0000) !== 0) continue;
      const to = target - ((start + i) >>> 12);
      const sign = (to & 0x020000) !== 0 ? 0xe00000 : 0;
      const made = (word & 0x9000001f) | ((to & 3) << 29) | ((to & 0x03fffc) << 3) | sign;
      bytes.writeUInt32LE(made >>> 0, i);
    }
  }
}

/** `jal` to x1 or x5, and `auipc` with the instruction that uses it, which the encoder stored as one 64-bit pair. */
function riscv(bytes: Buffer, start: number): void {
  for (let i = 0; i + 8 <= bytes.length; i += 2) {
    const first = bytes[i]!;
    if (first === 0xef) {
      const b1 = bytes[i + 1]!;
      if ((b1 & 0x0d) !== 0) continue;
      // The target was kept with its highest bits first.
      const to = (((b1 & 0xf0) << 13) | (bytes[i + 2]! << 9) | (bytes[i + 3]! << 1)) - (start + i);
      bytes[i + 1] = (b1 & 0x0f) | ((to >>> 8) & 0xf0);
      bytes[i + 2] = ((to >>> 16) & 0x0f) | ((to >>> 7) & 0x10) | ((to << 4) & 0xe0);
      bytes[i + 3] = ((to >>> 4) & 0x7f) | ((to >>> 13) & 0x80);
      i += 2;
    } else if ((first & 0x7f) === 0x17) {
      const word = bytes.readUInt32LE(i);
      if ((word & 0xe80) !== 0) {
        // The register is neither x0 nor x2: not converted by the encoder, but a pair that looks like one was marked.
        const second = bytes.readUInt32LE(i + 4);
        if ((((word << 8) ^ (second - 3)) & 0xf8003) !== 0) {
          i += 4;
          continue;
        }
        const value = (word & 0xfffff000) + (second >>> 20);
        bytes.writeUInt32LE((0x17 | (2 << 7) | (second << 12)) >>> 0, i);
        bytes.writeUInt32LE(value >>> 0, i + 4);
      } else {
        const register = word >>> 27;
        if (((word - 0x3117) << 18) >>> 0 >= (register & 0x1d)) {
          i += 2;
          continue;
        }
        const to = (bytes.readUInt32BE(i + 4) - (start + i)) | 0;
        bytes.writeUInt32LE((0x17 | (register << 7) | ((to + 0x800) & 0xfffff000)) >>> 0, i);
        bytes.writeUInt32LE(((word >>> 12) | (to << 20)) >>> 0, i + 4);
      }
      i += 6;
    }
  }
}

const FILTERS: Readonly<Record<number, { readonly filter: BranchFilter; readonly alignment: number }>> = {
  4: { filter: x86, alignment: 1 },
  5: { filter: powerpc, alignment: 4 },
  6: { filter: ia64, alignment: 16 },
  7: { filter: arm, alignment: 4 },
  8: { filter: armThumb, alignment: 2 },
  9: { filter: sparc, alignment: 4 },
  10: { filter: arm64, alignment: 4 },
  11: { filter: riscv, alignment: 2 },
};

/** @throws GuestError `unsupported` for an id that is not one of the branch filters, or a start that is not aligned */
export function branchFilter(id: number, start: number): BranchFilter {
  const known = FILTERS[id];
  if (!known) throw unsupported(`xz filter 0x${id.toString(16)}`);
  if (start % known.alignment !== 0) throw unsupported(`xz filter 0x${id.toString(16)} from offset ${start}`);
  return known.filter;
}

/** Each byte is the difference to the one `distance` before it. */
export function delta(bytes: Buffer, distance: number): void {
  for (let i = distance; i < bytes.length; i++) bytes[i] = (bytes[i]! + bytes[i - distance]!) & 0xff;
}
