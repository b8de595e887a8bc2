/**
 * How work grows with what a guest may have many of below the filesystems: rows of tables, volumes and segments of LVM, members of an
 * array, tables of image formats; and rules and words of a policy. Steps, bytes and calls to the disk are counted, and the
 * blocks of code that run (growth.ts). The limits that would end this earlier are lifted.
 */
import t, { type Test } from 'tap';
import type { Context } from '../../lib/bytes/budget';
import { judgeArguments } from '../../lib/policy/arguments';
import { parseDocument } from '../../lib/policy/document';
import { openImage } from '../../lib/source';
import { CacheSource } from '../../lib/source/cache';
import { type BlockSource, MemorySource } from '../../lib/source/types';
import { readTable } from '../../lib/volume';
import { volumeGroups } from '../../lib/volume/lvm/group';
import { GroupReader } from '../../lib/volume/lvm/map';
import { assemble } from '../../lib/volume/md/array';
import { superblocks } from '../../lib/volume/md/superblock';
import { context } from '../support';
import { guestOf } from '../volume/sets';
import { Count, countedDisk, counting, grown, growthOf, MOST, MOST_COUNTED } from './growth';

const LIFTED = { partitions: 2 ** 30, logicalPartitions: 2 ** 30, logicalVolumes: 2 ** 30 };

type Act = (ctx: Context) => void;

/** @param prepare what is looked at, of `n`; reads of `disk`s that it makes with `source` are counted */
function grows(
  t: Test,
  what: string,
  start: number,
  prepare: (n: number, source: (bytes: Buffer) => BlockSource) => Act,
  most = 2 * start,
): void {
  const sizes = [start, 4 * start];
  const counts = sizes.map((n) => {
    const count = new Count();
    prepare(n, (bytes) => countedDisk(new MemorySource(bytes), count))(counting(count, LIFTED));
    return count.all;
  });
  const counted = growthOf(sizes, counts);
  t.ok(counted.exponent < MOST_COUNTED, `${what}: n^${counted.exponent.toFixed(2)} (${counted.what})`);
  const found = grown(
    start,
    (n) => {
      const act = prepare(n, (bytes) => new MemorySource(bytes));
      return () => act(counting(new Count(), LIFTED));
    },
    most,
  );
  t.ok(found < MOST, `${what}: n^${found.toFixed(2)} of code`);
}

t.test('counting tells n and n log n from n²', async (t) => {
  const worked = (work: (n: number) => number) =>
    growthOf(
      [1000, 4000],
      [1000, 4000].map((n) => ({ steps: work(n) })),
    ).exponent;
  t.ok(worked((n) => 7 * n + 300) < MOST_COUNTED);
  t.ok(worked((n) => Math.round(n * Math.log2(n))) < MOST_COUNTED);
  t.ok(worked((n) => n * n) > MOST_COUNTED);
  t.ok(worked((n) => Math.round(n * Math.sqrt(n))) > MOST_COUNTED);
  t.ok(worked((n) => 300 * n + n * n) > MOST_COUNTED);
});

/** An extended partition with a chain of `n` logical ones, each after its own boot record. */
function chainOf(n: number): Buffer {
  const disk = Buffer.alloc((2 * n + 64) * 512);
  const row = (at: number, type: number, start: number, size: number) => {
    disk[at + 4] = type;
    disk.writeUInt32LE(start, at + 8);
    disk.writeUInt32LE(size, at + 12);
  };
  row(446, 5, 2, disk.length / 512 - 2);
  disk.writeUInt16LE(0xaa55, 510);
  for (let i = 0; i < n; i++) {
    const at = (2 + 2 * i) * 512;
    row(at + 446, 0x83, 1, 1);
    if (i < n - 1) row(at + 462, 5, 2 * (i + 1), 2);
    disk.writeUInt16LE(0xaa55, at + 510);
  }
  return disk;
}

t.test('MBR: logical partitions', async (t) => {
  grows(t, 'chain', 1000, (n, source) => {
    const disk = source(chainOf(n));
    return (ctx) => {
      const found = readTable(disk, ctx)?.partitions.length;
      if (found !== n) throw new Error(`${found} partitions of ${n}`);
    };
  });
});

const ID = 'abcdef-ghij-klmn-opqr-stuv-wxyz-012345';
const lines = (n: number, line: (i: number) => string) =>
  Array.from({ length: n }, (_, i) => line(i)).join('\n');

/** A group's metadata. */
const group = (volumes: string, pvs = 'pv0 { id = "pv-0" pe_start = 0 }') =>
  `vg { id = "${ID}" seqno = 1 extent_size = 8 physical_volumes { ${pvs} } logical_volumes { ${volumes} } }`;
const striped = (start: number, more = '"pv0", 0', at = 1) =>
  `segment${at} { start_extent = ${start} extent_count = 1 type = "striped" stripe_count = 1 stripes = [ ${more} ] }`;

/** All volumes of the metadata opened, the last byte of each read. */
const opened =
  (text: string, wanted: number): Act =>
  (ctx) => {
    const source = new MemorySource(Buffer.alloc(8192));
    const [found] = volumeGroups([{ id: 'pv0', source, texts: [text] }], ctx, (said) => {
      throw new Error(said);
    });
    const reader = new GroupReader(found!, ctx, (said) => {
      throw new Error(said);
    });
    let count = 0;
    for (const { name, visible } of found!.volumes.values()) {
      if (!visible) continue;
      const shown = reader.shown(name);
      shown.read(shown.size - 1, Buffer.alloc(1));
      count++;
    }
    if (count !== wanted) throw new Error(`${count} volumes of ${wanted}`);
  };
const visible = 'status = ["VISIBLE"]';

t.test('LVM', async (t) => {
  grows(t, 'segments of one volume', 1000, (n) =>
    opened(group(`root { ${visible} ${lines(n, (i) => striped(i, '"pv0", 0', i + 1))} }`), 1),
  );
  grows(t, 'volumes', 1000, (n) => opened(group(lines(n, (i) => `v${i} { ${visible} ${striped(0)} }`)), n));
  // Each volume was once looked at for each other one: the last of 2,000 took as long as all should.
  grows(t, 'snapshots', 500, (n) => {
    const snapshot = (i: number) =>
      `s${i} { ${striped(0)} }\nx${i} { segment1 { start_extent = 0 extent_count = 1 type = "snapshot" origin = "root" cow_store = "s${i}" } }`;
    const text = group(`root { ${visible} ${striped(0)} }\n${lines(n, snapshot)}`);
    return (ctx) => {
      const source = new MemorySource(Buffer.alloc(8192));
      const [found] = volumeGroups([{ id: 'pv0', source, texts: [text] }], ctx, () => {});
      const reader = new GroupReader(found!, ctx, () => {});
      let count = 0;
      for (const name of found!.volumes.keys()) if (reader.snapshotOf(name)) count++;
      if (count !== n) throw new Error(`${count} snapshots of ${n}`);
    };
  });
  grows(t, 'stripes of one segment', 2000, (n) => {
    const stripes = lines(n, () => '"pv0", 0,').replace(/,$/, '');
    const segment = `segment1 { start_extent = 0 extent_count = ${n} type = "striped" stripe_size = 8 stripes = [ ${stripes} ] }`;
    return opened(group(`root { ${visible} ${segment} }`), 1);
  });
  grows(t, 'tags, and other values', 4000, (n) =>
    opened(group(`root { ${visible} ${lines(n, (i) => `tag${i} = [ "a", ${i} ]`)} ${striped(0)} }`), 1),
  );
});

/** A mirror's member of version 1.2, with a list of `roles`. */
function memberOf(number: number, members: number, roles = members): Buffer {
  const disk = Buffer.alloc(16 * 1024);
  const at = 4096;
  disk.writeUInt32LE(0xa92b4efc, at);
  disk.writeUInt32LE(1, at + 4);
  disk.fill(7, at + 16, at + 32);
  disk.writeInt32LE(1, at + 72);
  disk.writeUInt32LE(8, at + 80);
  disk.writeUInt32LE(members, at + 92);
  disk.writeUInt32LE(24, at + 128);
  disk.writeUInt32LE(8, at + 136);
  disk.writeUInt32LE(8, at + 144);
  disk.writeUInt32LE(number, at + 160);
  disk.writeUInt32LE(1, at + 200);
  disk.writeUInt32LE(roles, at + 220);
  for (let i = 0; i < roles; i++) disk.writeUInt16LE(i, at + 256 + 2 * i);
  return disk;
}

t.test('md: members of one array', async (t) => {
  // 1,920 are the most that a superblock has room for. Each has a list of all: of one length here.
  const disks = (n: number) => Array.from({ length: n }, (_, i) => memberOf(i, n, 1920));
  grows(t, 'superblocks', 120, (n, source) => {
    const sources = disks(n).map(source);
    return (ctx) => {
      const members = sources.flatMap((s, of) =>
        superblocks(s, ctx, () => {}).map((superblock) => ({ superblock, source: s, of })),
      );
      const array = assemble(members, String);
      if (array.members.filter(Boolean).length !== n) throw new Error(`not ${n}: ${array.notes}`);
      array.open('md', ctx).read(0, Buffer.alloc(512));
    };
  });
});

t.test('a guest of many disks', async (t) => {
  // Each is a member of a pair of its own: as many arrays as half the disks.
  const found = grown(
    40,
    (n) => {
      const disks = Array.from({ length: n }, (_, i) => {
        const disk = memberOf(i % 2, 2);
        disk.writeUInt32LE(i >> 1, 4096 + 16);
        return disk;
      });
      return () => {
        const guest = guestOf(disks, context(undefined, LIFTED));
        guest.assemble();
        const made = guest.disks.filter(({ name }) => name.startsWith('md/')).length;
        if (made !== n / 2) throw new Error(`${made} arrays of ${n / 2}`);
      };
    },
    80,
  );
  t.ok(found < 2, `n^${found.toFixed(2)}: at most 256 are made (NODEGRUB_MAX_LOGICAL_VOLUMES)`);
});

/** VDI of `n` blocks of 4 KiB, in reverse. */
function vdiOf(n: number): Buffer {
  const data = 512 + Math.ceil((n * 4) / 512) * 512;
  const disk = Buffer.alloc(data + n * 4096);
  disk.write('<<< image >>>\n');
  disk.writeUInt32LE(0xbeda107f, 64);
  disk.writeUInt32LE(0x10001, 68);
  disk.writeUInt32LE(1, 76);
  disk.writeUInt32LE(512, 340);
  disk.writeUInt32LE(data, 344);
  disk.writeUInt32LE(512, 360);
  disk.writeUInt32LE(n * 4096, 368);
  disk.writeUInt32LE(4096, 376);
  disk.writeUInt32LE(n, 384);
  for (let i = 0; i < n; i++) disk.writeUInt32LE(n - 1 - i, 512 + i * 4);
  return disk;
}

/** qcow2 of `n` clusters of 512 bytes, in reverse, behind two levels of tables. */
function qcow2Of(n: number): Buffer {
  const C = 512;
  const tables = Math.ceil(n / 64);
  const l1 = Math.ceil((tables * 8) / C);
  const data = 1 + l1 + tables;
  const disk = Buffer.alloc((data + n) * C);
  disk.write('QFI\xfb', 0, 'latin1');
  disk.writeUInt32BE(2, 4);
  disk.writeUInt32BE(9, 20);
  disk.writeBigUInt64BE(BigInt(n * C), 24);
  disk.writeUInt32BE(tables, 36);
  disk.writeBigUInt64BE(BigInt(C), 40);
  const copied = 1n << 63n;
  for (let i = 0; i < tables; i++) disk.writeBigUInt64BE(copied | BigInt((1 + l1 + i) * C), C + i * 8);
  for (let i = 0; i < n; i++)
    disk.writeBigUInt64BE(copied | BigInt((data + n - 1 - i) * C), (1 + l1) * C + i * 8);
  return disk;
}

/** A dynamic VHD of `n` blocks of 4 KiB, in reverse. */
function vhdOf(n: number): Buffer {
  const table = 512 + 1024;
  const first = table + Math.ceil((n * 4) / 512) * 512;
  const each = 512 + 4096;
  const disk = Buffer.alloc(first + n * each + 512);
  const sum = (at: number, length: number, where: number) => {
    let total = 0;
    for (let i = at; i < at + length; i++) total += disk[i]!;
    disk.writeUInt32BE(~total >>> 0, where);
  };
  disk.write('conectix');
  disk.writeUInt32BE(0x10000, 12);
  disk.writeBigUInt64BE(512n, 16);
  disk.writeBigUInt64BE(BigInt(n * 4096), 48);
  disk.writeUInt32BE(3, 60);
  sum(0, 512, 64);
  disk.copy(disk, disk.length - 512, 0, 512);
  disk.write('cxsparse', 512);
  disk.fill(0xff, 520, 528);
  disk.writeBigUInt64BE(BigInt(table), 528);
  disk.writeUInt32BE(0x10000, 536);
  disk.writeUInt32BE(n, 540);
  disk.writeUInt32BE(4096, 544);
  sum(512, 1024, 548);
  for (let i = 0; i < n; i++) {
    const at = first + (n - 1 - i) * each;
    disk.writeUInt32BE(at / 512, table + i * 4);
    disk.fill(0xff, at, at + 512);
  }
  return disk;
}

t.test('image formats: tables of blocks', async (t) => {
  const formats = { vdi: vdiOf, qcow2: qcow2Of, vhd: vhdOf };
  for (const [format, make] of Object.entries(formats))
    grows(
      t,
      format,
      1000,
      (n, source) => {
        const file = source(make(n));
        return (ctx) => {
          const disk = openImage(new CacheSource(file), { format }, ctx);
          const piece = Buffer.alloc(4096);
          if (disk.size < n * 512) throw new Error(`a disk of ${disk.size} bytes`);
          for (let at = 0; at + piece.length <= disk.size; at += piece.length) disk.read(at, piece);
        };
      },
      2000,
    );
});

t.test('policies', async (t) => {
  const rules = { removed: [], refused: [], required: [], added: [], appended: [] };
  grows(t, 'words of a command line', 40, (n) => {
    // Of 1,023 bytes, all that a guest sees; longer ones are refused after the same work.
    const line = lines(25 * n, (i) => `a${i}=b`).replaceAll('\n', ' ');
    return () => {
      const judged = judgeArguments(line, {
        ...rules,
        removed: ['quiet'],
        refused: ['init='],
        required: ['a1='],
      });
      if ('rule' in judged && judged.rule !== 'arguments') throw new Error(judged.what);
    };
  });
  grows(t, 'rules', 500, (n) => {
    const patterns = Array.from({ length: n }, (_, i) => `no${i}=*`);
    return () => {
      const judged = judgeArguments('root=/dev/xvda1 ro', { ...rules, refused: patterns, removed: patterns });
      if ('rule' in judged) throw new Error(judged.what);
    };
  });
  for (const name of ['p.json', 'p.toml'])
    grows(
      t,
      `hashes in ${name}`,
      500,
      (n) => {
        const hashes = Array.from({ length: n }, (_, i) => `"${i.toString(16).padStart(64, '0')}"`).join(
          ',\n',
        );
        const text =
          name === 'p.json' ? `{ "kernel": { "sha256": [${hashes}] } }` : `[kernel]\nsha256 = [${hashes}]\n`;
        return () => {
          if (parseDocument(name, text).kernel?.sha256?.length !== n) throw new Error('not all');
        };
      },
      2000,
    );
});
