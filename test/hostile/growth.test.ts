/**
 * How work grows with the input: what runs for N and 4N of everything that a guest may have many of is fitted to N^x, and x must be
 * that of n log n. That the fit can tell it from n² is shown first.
 */
import t from 'tap';
import { driver as cpio } from '../../fsdrivers/cpio/driver';
import { driver as ext } from '../../fsdrivers/ext/driver';
import { driver as fat } from '../../fsdrivers/fat/driver';
import { driver as iso9660 } from '../../fsdrivers/iso9660/driver';
import { driver as minix } from '../../fsdrivers/minix/driver';
import { driver as romfs } from '../../fsdrivers/romfs/driver';
import { driver as tar } from '../../fsdrivers/tar/driver';
import { dialects, furtherDialects } from '../../lib/boot';
import { allChoices } from '../../lib/boot/choose';
import { fileExtents } from '../../lib/fs/file';
import type { FileSystemDriver } from '../../lib/fs/types';
import { walk } from '../../lib/fs/walk';
import { MemorySource } from '../../lib/source/types';
import { readTable } from '../../lib/volume';
import { evaluate } from '../boot/dialect';
import { MemoryFs, type MemoryTree, pieces } from '../boot/memfs';
import { context, THOROUGH } from '../support';
import { exponent, grown, least, MOST, type Prepare, ran } from './growth';

t.test('the fit tells n and n log n from n²', async (t) => {
  const numbers = (n: number) => Array.from({ length: n }, (_, i) => (i * 7919) % 104_729);
  const linear: Prepare = (n) => {
    const list = numbers(n);
    return () => void list.reduce((a, b) => (a + b) % 1000003, 0);
  };
  const sorting: Prepare = (n) => {
    const list = numbers(n);
    return () => void [...list].sort((a, b) => a - b);
  };
  const squared: Prepare = (n) => {
    const list = numbers(n);
    return () => {
      let pairs = 0;
      for (const a of list) for (const b of list) if (a === b) pairs++;
      if (pairs !== n) throw new Error('not all');
    };
  };
  const once = ran(20_000, linear);
  t.ok(once > 0.9 && once < 1.05, `n: ${once}`);
  const sorted = ran(20_000, sorting);
  t.ok(sorted > 1.01 && sorted < 1.3, `n log n: ${sorted}`);
  const pairs = ran(500, squared);
  t.ok(pairs > 1.9 && pairs < 2.01, `n²: ${pairs}`);
  if (!THOROUGH) return;
  t.ok(least(1_000_000, linear) < MOST);
  t.ok(least(100_000, sorting) < MOST);
  // Every attempt must say so.
  for (let i = 0; i < 3; i++) {
    const found = exponent(1500, squared);
    t.ok(found > MOST, `n²: ${found}`);
  }
});

const lines = (n: number, line: (i: number) => string) =>
  Array.from({ length: n }, (_, i) => line(i)).join('\n');

/** The configuration of `n`, where it lies, and what else is there. */
const CONFIGS: Record<
  string,
  [dialect: string, path: string, start: number, make: (n: number) => string | MemoryTree]
> = {
  'GRUB: entries': [
    'grub2',
    '/boot/grub/grub.cfg',
    1000,
    (n) => lines(n, (i) => `menuentry 'e${i}' { linux /vmlinuz n=${i}\n initrd /initrd }`),
  ],
  'GRUB: submenus beside each other': [
    'grub2',
    '/boot/grub/grub.cfg',
    500,
    (n) => lines(n, (i) => `submenu s${i} { menuentry e { linux /vmlinuz } }`),
  ],
  'GRUB: variables': [
    'grub2',
    '/boot/grub/grub.cfg',
    4000,
    (n) => lines(n, (i) => `set v${i}=$v${i - 1}x`.replace('xx', '')),
  ],
  'GRUB: words of one command': ['grub2', '/boot/grub/grub.cfg', 20_000, (n) => `set ${'word '.repeat(n)}`],
  'GRUB: one long word': ['grub2', '/boot/grub/grub.cfg', 200_000, (n) => `set a="${'x'.repeat(n)}"`],
  'GRUB: functions': [
    'grub2',
    '/boot/grub/grub.cfg',
    3000,
    (n) => lines(n, (i) => `function f${i} { true; }\nf${i}`),
  ],
  'GRUB: nothing but quotes': ['grub2', '/boot/grub/grub.cfg', 50_000, (n) => `set a=${`'a'"b"`.repeat(n)}`],
  'GRUB: unclosed blocks': ['grub2', '/boot/grub/grub.cfg', 3000, (n) => 'if true; then\n'.repeat(n)],
  'GRUB: files that are read one after the other': [
    'grub2',
    '/boot/grub/grub.cfg',
    500,
    (n) => ({
      boot: {
        grub: {
          'grub.cfg': lines(n, (i) => `source /boot/grub/f${i}`),
          ...Object.fromEntries(Array.from({ length: n }, (_, i) => [`f${i}`, `set x${i}=1\n`])),
        },
      },
    }),
  ],
  'GRUB legacy: entries': [
    'grublegacy',
    '/boot/grub/menu.lst',
    2000,
    (n) => lines(n, (i) => `title e${i}\nkernel /vmlinuz n=${i}\ninitrd /initrd`),
  ],
  'syslinux: labels': [
    'syslinux',
    '/boot/extlinux/extlinux.conf',
    2000,
    (n) => lines(n, (i) => `label l${i}\nmenu label L${i}\nkernel /vmlinuz\nappend n=${i}`),
  ],
  'LILO: sections': [
    'lilo',
    '/etc/lilo.conf',
    2000,
    (n) => lines(n, (i) => `image=/vmlinuz\nlabel=l${i}\nappend="n=${i}"`),
  ],
  'BLS: entries': [
    'bls',
    '/loader/entries/',
    500,
    (n) => ({
      vmlinuz: 'kernel',
      loader: {
        entries: Object.fromEntries(
          Array.from({ length: n }, (_, i) => [
            `e${i}.conf`,
            `title E${i}\nversion 6.${i}\nlinux /vmlinuz\noptions n=${i}\n`,
          ]),
        ),
      },
    }),
  ],
};

function treeOf(path: string, text: string): MemoryTree {
  const parts = path.split('/').slice(1);
  let tree: MemoryTree = { [parts.pop()!]: text };
  for (const part of parts.reverse()) tree = { [part]: tree };
  return { ...tree, vmlinuz: 'kernel', initrd: 'initrd' };
}

t.test('configurations', async (t) => {
  for (const [what, [name, path, start, make]] of Object.entries(CONFIGS)) {
    const dialect = [...dialects, ...furtherDialects()].find((d) => d.name === name)!;
    const found = grown(start, (n) => {
      const made = make(n);
      const tree = typeof made === 'string' ? treeOf(path, made) : made;
      return () => {
        const { menu } = evaluate(dialect, path, tree);
        for (const { entry } of allChoices(menu)) entry.resolve();
      };
    });
    t.ok(found < MOST, `${what}: n^${found.toFixed(2)}`);
  }
});

const newc = (name: string, data: string, mode = 0o100644): Buffer => {
  const fields = [1, mode, 0, 0, 1, 0, data.length, 0, 0, 0, 0, name.length + 1, 0];
  const pad = (length: number) => '\0'.repeat((4 - (length % 4)) % 4);
  const head = `070701${fields.map((n) => n.toString(16).padStart(8, '0')).join('')}${name}\0`;
  return Buffer.from(head + pad(head.length) + data + pad(data.length), 'latin1');
};

const ustar = (name: string, data: string): Buffer => {
  const head = Buffer.alloc(512);
  head.write(name, 0);
  head.write('0000644\x000000000\x000000000\0', 100);
  head.write(`${data.length.toString(8).padStart(11, '0')}\0${'0'.repeat(11)}\0        0`, 124);
  head.write('ustar\x0000', 257);
  const sum = head.reduce((a, b) => a + b, 0);
  head.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return Buffer.concat([head, Buffer.from(data), Buffer.alloc((512 - (data.length % 512)) % 512)]);
};

/** Everything is listed, each name is looked up. */
const listed = (driver: FileSystemDriver, image: Buffer, count: number) => () => {
  const ctx = context();
  const fs = driver.open([new MemorySource(image)], ctx, { others: () => [] });
  const names = [...fs.readdir(walk(fs, '/d'))].map((entry) => entry.name);
  if (names.length !== count) throw new Error(`${names.length} names of ${count}`);
  for (const name of names) walk(fs, `/d/${name}`);
};

t.test('archives: members, names, looking each up', async (t) => {
  const members = (n: number, make: (name: string) => Buffer) =>
    Array.from({ length: n }, (_, i) => make(`d/name${i}`));
  const ofCpio = grown(2000, (n) =>
    listed(cpio, Buffer.concat([...members(n, (name) => newc(name, 'x')), newc('TRAILER!!!', '')]), n),
  );
  t.ok(ofCpio < MOST, `cpio: n^${ofCpio.toFixed(2)}`);
  const ofTar = grown(2000, (n) =>
    listed(tar, Buffer.concat([...members(n, (name) => ustar(name, 'x')), Buffer.alloc(1024)]), n),
  );
  t.ok(ofTar < MOST, `tar: n^${ofTar.toFixed(2)}`);
});

/** 8.3, so that every format has it. */
const nameOf = (i: number): string => `N${String(i).padStart(7, '0')}`;

/** FAT16 in clusters of 512 bytes, `/D` of `n` empty files. */
function fatOf(n: number): Buffer {
  const S = 512;
  const clusters = 4200 + Math.ceil(((n + 2) * 32) / S);
  const fatSectors = Math.ceil(((clusters + 2) * 2) / S);
  const rootAt = (1 + fatSectors) * S;
  const disk = Buffer.alloc((2 + fatSectors + clusters) * S);
  disk.write('\xeb\x3c\x90MSDOS5.0', 0, 'latin1');
  disk.writeUInt16LE(S, 11);
  disk[13] = 1;
  disk.writeUInt16LE(1, 14);
  disk[16] = 1;
  disk.writeUInt16LE(16, 17);
  disk[21] = 0xf8;
  disk.writeUInt16LE(fatSectors, 22);
  disk.writeUInt32LE(disk.length / S, 32);
  disk[38] = 0x29;
  disk.write('NO NAME    FAT16   ', 43);
  disk.writeUInt16LE(0xaa55, 510);
  const used = Math.ceil(((n + 2) * 32) / S);
  disk.writeUInt16LE(0xfff8, S);
  disk.writeUInt16LE(0xffff, S + 2);
  for (let i = 0; i < used; i++) disk.writeUInt16LE(i === used - 1 ? 0xffff : i + 3, S + (i + 2) * 2);
  const entry = (at: number, name: string, attributes: number, cluster: number) => {
    disk.write(name.padEnd(11), at);
    disk[at + 11] = attributes;
    disk.writeUInt16LE(cluster, at + 26);
  };
  entry(rootAt, 'D', 0x10, 2);
  const at = rootAt + S;
  entry(at, '.', 0x10, 2);
  entry(at + 32, '..', 0x10, 0);
  for (let i = 0; i < n; i++) entry(at + (i + 2) * 32, nameOf(i), 0x20, 0);
  return disk;
}

/** ISO 9660 without extensions. */
function isoOf(n: number): Buffer {
  const S = 2048;
  const each = Math.floor(S / 44);
  const sectors = Math.ceil((n + 2) / each);
  const disk = Buffer.alloc((20 + sectors) * S);
  const both = (value: number, at: number) => {
    disk.writeUInt32LE(value, at);
    disk.writeUInt32BE(value, at + 4);
  };
  const both16 = (value: number, at: number) => {
    disk.writeUInt16LE(value, at);
    disk.writeUInt16BE(value, at + 2);
  };
  const record = (at: number, name: string, sector: number, size: number, flags: number): number => {
    const length = 33 + name.length + ((name.length + 1) % 2);
    disk[at] = length;
    both(sector, at + 2);
    both(size, at + 10);
    disk[at + 18] = 100;
    disk[at + 19] = 1;
    disk[at + 20] = 1;
    disk[at + 25] = flags;
    both16(1, at + 28);
    disk[at + 32] = name.length;
    disk.write(name, at + 33, 'latin1');
    return length;
  };
  const pvd = 16 * S;
  disk.write('\x01CD001\x01', pvd, 'latin1');
  disk.fill(' ', pvd + 8, pvd + 72);
  both(disk.length / S, pvd + 80);
  both16(1, pvd + 120);
  both16(1, pvd + 124);
  both16(S, pvd + 128);
  record(pvd + 156, '\0', 18, S, 2);
  disk[pvd + 881] = 1;
  disk.write('\xffCD001\x01', 17 * S, 'latin1');
  let at = 18 * S;
  at += record(at, '\0', 18, S, 2);
  at += record(at, '\x01', 18, S, 2);
  record(at, 'D', 19, sectors * S, 2);
  for (let i = 0; i < n + 2; i++) {
    const place = 19 * S + Math.floor(i / each) * S + (i % each) * 44;
    // Both of a length, so that records of 44 bytes stand in a row.
    if (i < 2) {
      const length = record(place, i === 0 ? '\0' : '\x01', i === 0 ? 19 : 18, i === 0 ? sectors * S : S, 2);
      disk[place] = length + 10;
    } else record(place, `${nameOf(i - 2)}.;1`, 0, 0, 0);
  }
  return disk;
}

/** romfs, whose directories are lists. */
function romfsOf(n: number): Buffer {
  const disk = Buffer.alloc(32 + (n + 2) * 32);
  const sum = (at: number, length: number) => {
    let total = 0;
    for (let i = at; i < at + length; i += 4) total = (total + disk.readInt32BE(i)) | 0;
    return -total | 0;
  };
  const head = (at: number, next: number, kind: number, info: number, name: string) => {
    disk.writeUInt32BE(next | kind, at);
    disk.writeUInt32BE(info, at + 4);
    disk.write(name, at + 16);
    disk.writeInt32BE(sum(at, 32), at + 12);
  };
  head(32, 64, 9, 32, '.');
  head(64, 0, 9, 96, 'D');
  for (let i = 0; i < n; i++) head(96 + i * 32, i === n - 1 ? 0 : 128 + i * 32, 2, 0, nameOf(i));
  disk.write('-rom1fs-');
  disk.writeUInt32BE(disk.length, 8);
  disk.writeInt32BE(sum(0, Math.min(512, disk.length)), 12);
  return disk;
}

/** A directory without an index, in one extent. */
function extOf(n: number): Buffer {
  const B = 4096;
  const each = 200;
  const blocks = Math.ceil((n + 2) / each);
  const disk = Buffer.alloc((5 + blocks) * B);
  const words: readonly [at: number, value: number][] = [
    [0, 32],
    [4, disk.length / B],
    [24, 2],
    [28, 2],
    [32, 32768],
    [36, 32768],
    [40, 32],
    [76, 1],
    [84, 11],
    [96, 0x42],
  ];
  for (const [at, value] of words) disk.writeUInt32LE(value, 1024 + at);
  disk.writeUInt16LE(0xef53, 1024 + 56);
  disk.writeUInt16LE(1, 1024 + 58);
  disk.writeUInt16LE(256, 1024 + 88);
  disk.writeUInt32LE(2, B + 8);
  const inode = (number: number, mode: number, start: number, length: number) => {
    const at = 2 * B + (number - 1) * 256;
    disk.writeUInt16LE(mode, at);
    disk.writeUInt32LE(length * B, at + 4);
    disk.writeUInt16LE(2, at + 26);
    disk.writeUInt32LE(0x80000, at + 32);
    disk.writeUInt16LE(0xf30a, at + 40);
    disk.writeUInt16LE(length === 0 ? 0 : 1, at + 42);
    disk.writeUInt16LE(4, at + 44);
    disk.writeUInt16LE(length, at + 56);
    disk.writeUInt32LE(start, at + 60);
  };
  inode(2, 0x41ed, 4, 1);
  inode(12, 0x41ed, 5, blocks);
  inode(13, 0x81a4, 0, 0);
  const directory = (block: number, perBlock: number, names: readonly [string, number, number][]) => {
    for (const [i, [name, number, type]] of names.entries()) {
      const at = (block + Math.floor(i / perBlock)) * B + (i % perBlock) * 16;
      const last = i % perBlock === perBlock - 1 || i === names.length - 1;
      disk.writeUInt32LE(number, at);
      disk.writeUInt16LE(last ? B - (i % perBlock) * 16 : 16, at + 4);
      disk[at + 6] = name.length;
      disk[at + 7] = type;
      disk.write(name, at + 8);
    }
  };
  const dots = (own: number): [string, number, number][] => [
    ['.', own, 2],
    ['..', 2, 2],
  ];
  directory(4, each, [...dots(2), ['D', 12, 2]]);
  directory(5, each, [
    ...dots(12),
    ...Array.from({ length: n }, (_, i): [string, number, number] => [nameOf(i), 13, 1]),
  ]);
  return disk;
}

/** MINIX 3, with one indirect zone. */
function minixOf(n: number): Buffer {
  const B = 4096;
  const zones = Math.ceil(((n + 2) * 64) / B);
  const disk = Buffer.alloc((7 + zones) * B);
  disk.writeUInt32LE(64, 1024);
  disk.writeUInt16LE(1, 1024 + 6);
  disk.writeUInt16LE(1, 1024 + 8);
  disk.writeUInt16LE(5, 1024 + 10);
  disk.writeUInt32LE(0x7fffffff, 1024 + 16);
  disk.writeUInt32LE(disk.length / B, 1024 + 20);
  disk.writeUInt16LE(0x4d5a, 1024 + 24);
  disk.writeUInt16LE(B, 1024 + 28);
  const inode = (number: number, mode: number, size: number, list: readonly number[]) => {
    const at = 4 * B + (number - 1) * 64;
    disk.writeUInt16LE(mode, at);
    disk.writeUInt16LE(2, at + 2);
    disk.writeUInt32LE(size, at + 8);
    for (const [i, zone] of list.entries()) disk.writeUInt32LE(zone, at + 24 + i * 4);
  };
  inode(1, 0x41ed, 3 * 64, [5]);
  const direct = Array.from({ length: Math.min(7, zones) }, (_, i) => 7 + i);
  inode(2, 0x41ed, (n + 2) * 64, [...direct, ...(zones > 7 ? [6] : [])]);
  for (let i = 7; i < zones; i++) disk.writeUInt32LE(7 + i, 6 * B + (i - 7) * 4);
  inode(3, 0x81a4, 0, []);
  const entry = (at: number, number: number, name: string) => {
    disk.writeUInt32LE(number, at);
    disk.write(name, at + 4);
  };
  for (const [i, [number, name]] of (
    [
      [1, '.'],
      [1, '..'],
      [2, 'D'],
    ] as const
  ).entries())
    entry(5 * B + i * 64, number, name);
  entry(7 * B, 2, '.');
  entry(7 * B + 64, 1, '..');
  for (let i = 0; i < n; i++) entry(7 * B + (i + 2) * 64, 3, nameOf(i));
  return disk;
}

/** The drivers' directories that are lists: gone through once, and searched once for the last name and for one that is not there. */
const DIRECTORIES: readonly [driver: FileSystemDriver, make: (n: number) => Buffer][] = [
  [fat, fatOf],
  [iso9660, isoOf],
  [romfs, romfsOf],
  [ext, extOf],
  [minix, minixOf],
];

t.test("drivers' directories: names", async (t) => {
  for (const [driver, make] of DIRECTORIES) {
    const found = grown(
      2000,
      (n) => {
        const image = make(n);
        return () => {
          const fs = driver.open([new MemorySource(image)], context(), { others: () => [] });
          const [top] = [...fs.readdir(fs.root)].filter(({ name }) => /^d$/i.test(name));
          const directory = top?.node();
          if (!directory) throw new Error('no directory');
          const names = [...fs.readdir(directory)].map(({ name }) => name).filter((name) => /^n/i.test(name));
          if (names.length !== n) throw new Error(`${names.length} names of ${n}`);
          if (fs.lookup(directory, names[n - 1]!)?.kind !== 'file')
            throw new Error('the last one is not found');
          if (fs.lookup(directory, 'missing')) throw new Error('found what is not there');
        };
      },
      8000,
    );
    t.ok(found < MOST, `${driver.name}: n^${found.toFixed(2)}`);
  }
});

t.test('extents of one file', async (t) => {
  const found = grown(10_000, (n) => {
    const fs = new MemoryFs({ file: pieces('x'.repeat(n * 8), 8, ['data', 'inline', 'packed']) });
    return () => {
      let count = 0;
      for (const _ of fileExtents(fs, walk(fs, '/file'), context())) count++;
      if (count < n) throw new Error(`${count} extents of ${n}`);
    };
  });
  t.ok(found < MOST, `n^${found.toFixed(2)}`);
});

t.test('partition tables: rows of a GPT', async (t) => {
  const found = grown(
    8000,
    (n) => {
      // 4 MiB of rows are the most that is read.
      const sectors = 100 + Math.ceil((n * 128) / 512);
      const disk = Buffer.alloc((sectors + 100) * 512);
      // Protective MBR, header without a sum (a warning), rows of one sector each.
      Buffer.from('00000200eeffffff01000000ffffff00', 'hex').copy(disk, 446);
      disk.writeUInt16LE(0xaa55, 510);
      const header = disk.subarray(512, 1024);
      header.write('EFI PART');
      header.writeUInt32LE(0x10000, 8);
      header.writeUInt32LE(92, 12);
      header.writeBigUInt64LE(1n, 24);
      header.writeBigUInt64LE(BigInt(sectors - 50), 40);
      header.writeBigUInt64LE(BigInt(sectors + 90), 48);
      header.writeBigUInt64LE(2n, 72);
      header.writeUInt32LE(n, 80);
      header.writeUInt32LE(128, 84);
      for (let i = 0; i < n; i++) {
        const at = 1024 + i * 128;
        disk.fill(0x11, at, at + 32);
        disk.writeBigUInt64LE(BigInt(sectors - 40), at + 32);
        disk.writeBigUInt64LE(BigInt(sectors - 40), at + 40);
      }
      return () => {
        const table = readTable(new MemorySource(disk), context());
        if (!table || table.partitions.length < 1000)
          throw new Error(`${table?.partitions.length} partitions`);
      };
    },
    8000,
  );
  t.ok(found < MOST, `n^${found.toFixed(2)}`);
});
