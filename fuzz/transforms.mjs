/**
 * What the harness's copy of the sources has and the sources have not: hooks, and comparisons of checksums that say
 * "right". The sources on disk are never touched; a snippet that is no longer found ends the run.
 */
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';

/** @typedef {{ file: string, from: string, to: string, times?: number }} Change */

/**
 * Where a wrong checksum ends or diverts a reader. An attacker writes right sums: `__fz.sums` is what the harness sets
 * for a round whose sums are to be taken as put right after the mutation.
 * @type {Change[]}
 */
export const SUMS = [
  {
    file: 'lib/source/vhdx/log.ts',
    from: 'return sum === bytes.readUInt32LE(CHECKSUM_AT);',
    to: 'return __fz.sums || sum === bytes.readUInt32LE(CHECKSUM_AT);',
  },
  {
    file: 'fsdrivers/tar/header.ts',
    from: 'return wanted === unsigned ||',
    to: 'return __fz.sums || wanted === unsigned ||',
  },
  {
    file: 'fsdrivers/zfs/checksum.ts',
    from: 'b: Words): boolean => a.every(',
    to: 'b: Words): boolean => __fz.sums || a.every(',
  },
  {
    file: 'fsdrivers/nilfs2/superblock.ts',
    from: 'sound: sums.crc32(',
    to: 'sound: __fz.sums || sums.crc32(',
  },
  {
    file: 'fsdrivers/nilfs2/log.ts',
    from: 'return sum === (whole',
    to: 'return __fz.sums || sum === (whole',
  },
  {
    file: 'fsdrivers/nilfs2/log.ts',
    from: 'if (verify && this.#sums',
    to: 'if (verify && !__fz.sums && this.#sums',
  },
  {
    file: 'fsdrivers/f2fs/superblock.ts',
    from: '!(s.feature & FEATURE.sbChecksum) ||',
    to: '__fz.sums || !(s.feature & FEATURE.sbChecksum) ||',
  },
  {
    file: 'fsdrivers/f2fs/superblock.ts',
    from: 'if (crc !== bytes.readUInt32LE(place))',
    to: 'if (!__fz.sums && crc !== bytes.readUInt32LE(place))',
  },
  {
    file: 'fsdrivers/btrfs/superblock.ts',
    from: '(kind > 3 || sumsOf(',
    to: '(__fz.sums || kind > 3 || sumsOf(',
  },
  {
    file: 'fsdrivers/btrfs/tree.ts',
    from: 'if (volume.superblock.sums.match(',
    to: 'if (__fz.sums || volume.superblock.sums.match(',
  },
  {
    file: 'fsdrivers/btrfs/data.ts',
    from: 'if (expected.there[i] && !sums.match(',
    to: 'if (!__fz.sums && expected.there[i] && !sums.match(',
  },
  {
    file: 'fsdrivers/exfat/boot.ts',
    from: 'if (region.readInt32LE(i) !== sum)',
    to: 'if (!__fz.sums && region.readInt32LE(i) !== sum)',
  },
  {
    file: 'fsdrivers/ext/journal/log.ts',
    from: 'if (!this.#hasTails) return true;',
    to: 'if (__fz.sums || !this.#hasTails) return true;',
    times: 2,
  },
  {
    file: 'fsdrivers/ext/journal/log.ts',
    from: "if (this.#sums === 'none') return true;",
    to: "if (__fz.sums || this.#sums === 'none') return true;",
  },
  {
    file: 'fsdrivers/ext/journal/fastcommit.ts',
    from: '|| tail.fc_crc !== crc)',
    to: '|| (!__fz.sums && tail.fc_crc !== crc))',
  },
  {
    file: 'fsdrivers/xfs/log/transactions.ts',
    from: 'if (!matches && v5)',
    to: 'if (!__fz.sums && !matches && v5)',
  },
  {
    file: 'fsdrivers/udf/tag.ts',
    from: 'return (sum & 0xff) === b[at + 4];',
    to: 'return __fz.sums || (sum & 0xff) === b[at + 4];',
  },
  {
    file: 'fsdrivers/udf/tag.ts',
    from: 'return crc === t.DescriptorCRC ?',
    to: 'return __fz.sums || crc === t.DescriptorCRC ?',
  },
  {
    file: 'lib/volume/gpt/gpt.ts',
    from: 'const headerSumRight = headerSum ===',
    to: 'const headerSumRight = __fz.sums || headerSum ===',
  },
  {
    file: 'lib/volume/gpt/gpt.ts',
    from: 'const entriesSumRight = crc32(entries)',
    to: 'const entriesSumRight = __fz.sums || crc32(entries)',
  },
  {
    file: 'lib/volume/lvm/label.ts',
    from: 'if (lvmCrc(...parts) !== locn.checksum)',
    to: 'if (!__fz.sums && lvmCrc(...parts) !== locn.checksum)',
  },
  {
    file: 'lib/volume/luks/header.ts',
    from: 'const sound = hdr.csum',
    to: 'const sound = __fz.sums || hdr.csum',
  },
  {
    file: 'lib/bytes/decompress/zstd.ts',
    from: 'if (xxh64(into.subarray(begin, at)).low !== u32(from, p))',
    to: 'if (!__fz.sums && xxh64(into.subarray(begin, at)).low !== u32(from, p))',
  },
  {
    file: 'lib/bytes/decompress/xz.ts',
    from: 'if (crc32(input.bytes.subarray(start, start + size - 4)) !==',
    to: 'if (!__fz.sums && crc32(input.bytes.subarray(start, start + size - 4)) !==',
  },
  {
    file: 'lib/bytes/decompress/xz.ts',
    from: 'if (crc32(header.subarray(6, 8)) !==',
    to: 'if (!__fz.sums && crc32(header.subarray(6, 8)) !==',
  },
  {
    file: 'lib/bytes/decompress/xz.ts',
    from: '!== input.take(4).readUInt32LE(0))',
    to: '!== input.take(4).readUInt32LE(0) && !__fz.sums)',
  },
  {
    file: 'lib/bytes/decompress/xz.ts',
    from: 'if (crc32(footer.subarray(4, 10)) !==',
    to: 'if (!__fz.sums && crc32(footer.subarray(4, 10)) !==',
  },
  {
    file: 'lib/bytes/decompress/xz.ts',
    from: 'if (!matches(kind, input.take(checkSize), out))',
    to: 'if (!matches(kind, input.take(checkSize), out) && !__fz.sums)',
  },
];

/** Tells the survey which bytes are read as which field. @type {Change[]} */
export const HOOKS = [
  {
    file: 'lib/bytes/struct.ts',
    from: 'read: (bytes, base) => get(bytes, base + at),',
    to: 'read: (bytes, base) => { if (__fz.field) __fz.field(bytes, base + at, size); return get(bytes, base + at); },',
  },
  {
    file: 'lib/bytes/struct.ts',
    from: 'if (at < 0 || at + size > bytes.length)',
    to: 'if (__fz.struct) __fz.struct(name, bytes, at, size);\n      if (at < 0 || at + size > bytes.length)',
  },
  {
    file: 'lib/bytes/budget.ts',
    from: 'this.#steps -= count;',
    to: 'if (__fz.step && !this.parent) __fz.step(count);\n    this.#steps -= count;',
  },
];

/** What a decompressor has written may be changed too: a compressor that the attacker wrote makes any bytes. */
const UNPACKERS = {
  'lib/bytes/decompress/lz4.ts': ['lz4Block'],
  'lib/bytes/decompress/lzo.ts': ['lzo1x'],
  'lib/bytes/decompress/lzma.ts': ['lzma', 'microLzma'],
  'lib/bytes/decompress/xz.ts': ['xz'],
  'lib/bytes/decompress/zstd.ts': ['zstd'],
  'lib/bytes/decompress/inflate.ts': ['inflateRaw', 'inflateZlib'],
};

/** @param {readonly Change[]} changes */
export function transforms(root, changes) {
  const wanted = [...HOOKS, ...SUMS, ...changes];
  return {
    name: 'fuzz-transforms',
    setup(b) {
      const done = new Set();
      b.onLoad({ filter: /\/(lib|fsdrivers|menu)\/.*\.ts$/ }, (args) => {
        const file = relative(root, args.path);
        let contents = readFileSync(args.path, 'utf8');
        for (const change of wanted.filter((c) => c.file === file)) {
          const parts = contents.split(change.from);
          if (parts.length !== (change.times ?? 1) + 1)
            throw new Error(`fuzz: ${file} has ${parts.length - 1} times: ${change.from}`);
          contents = parts.join(change.to);
          done.add(change);
        }
        for (const name of UNPACKERS[file] ?? []) {
          const head = `export function ${name}(`;
          if (contents.split(head).length !== 2) throw new Error(`fuzz: ${file} has no ${head}`);
          contents = contents.replace(head, `function ${name}_(`);
          contents += `\nexport function ${name}(...a: Parameters<typeof ${name}_>): ReturnType<typeof ${name}_> {
  const n = ${name}_(...a);
  if (__fz.unpacked) __fz.unpacked(a[1]);
  return n;
}\n`;
        }
        return { contents, loader: 'ts' };
      });
      b.onEnd(() => {
        const lost = wanted.filter((c) => !done.has(c));
        if (lost.length > 0)
          throw new Error(`fuzz: not found in the sources: ${lost.map((c) => c.file).join(', ')}`);
      });
    },
  };
}

export const BANNER =
  'var __fz = globalThis.__fz = { sums: false, field: undefined, struct: undefined, step: undefined, unpacked: undefined };';
