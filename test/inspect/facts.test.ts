/** The document's facts beside what the fixtures' recipes and their makers say of them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { textOf } from '../../lib/inspect/text';
import { xlString } from '../../lib/inspect/xl';
import { image, ROOT } from '../support';
import { layouts, SparseSource } from '../volume/sparse';
import { inspect, inspectSources } from './support';

const read = (name: string) => readFileSync(join(ROOT, 'fixtures', 'images', name));
// biome-ignore lint/suspicious/noExplicitAny: what the recipes wrote down, of several shapes
type Row = any;
const plain = { colour: false, columns: undefined };

t.test('the example disk', async (t) => {
  const expected = JSON.parse(read('example.expected.json').toString());
  const d = inspect({ '/img/example.img': image('example.img') });
  t.equal(d.boots, true);
  t.equal(d.boot?.args, expected.args);
  t.equal(d.boot?.kernel, expected.kernel.path);
  t.match(d.disks, [{ name: 'hd0', kind: 'disk', format: 'raw', path: '/img/example.img' }]);
  // fixtures/recipes/example.sh: sfdisk's script and mke2fs' words.
  t.match(d.disks[0]!.table, {
    scheme: 'gpt',
    partitions: [
      {
        name: 'hd0,gpt1',
        device: 'xvda1',
        typeName: 'Linux root (x86-64)',
        content: { type: 'ext4', label: 'root' },
      },
    ],
  });
  t.equal(d.disks[0]!.table!.madeFor, d.disks[0]!.size, 'its second header is at the very end');
  t.match(d.configurations, [{ dialect: 'grub2', chosen: true, pass: 1, bootable: true, entries: 3 }]);
  t.equal(d.entries.filter((entry) => entry.default).length, 1);
  t.same(d.xl.pvh.lines.at(-1), 'disk = [ "format=raw,vdev=xvda,access=rw,target=/img/example.img" ]');
  t.ok(d.xl.direct.lines.includes(`cmdline = ${xlString(expected.args)}`));
  t.match(textOf(d, plain), /^\/img\/example\.img: boots Debian GNU\/Linux\n/);
  t.match(textOf(d, { colour: true, columns: 80 }), /\x1b\[32mboots\x1b\[0m/);
});

t.test('image formats, and what xl calls them', async (t) => {
  const sizes = JSON.parse(read('formats.expected.json').toString());
  for (const [file, format, line] of [
    ['qcow2-zstd', 'qcow2', 'format=qcow2'],
    ['qcow-plain', 'qcow', 'format=qcow'],
    ['qed-plain', 'qed', 'format=qed'],
    ['vhd-dynamic', 'vhd', 'format=vhd'],
    ['vmdk-sparse', 'vmdk', 'format=raw'],
    ['vhdx-plain', 'vhdx', 'format=raw'],
    ['vdi-plain', 'vdi', 'format=raw'],
    ['gzip-plain', 'gzip', 'format=raw'],
  ] as const) {
    const d = inspect({ [`/i/${file}`]: image(`${file}.img`) });
    t.equal(d.disks[0]!.format, format, file);
    if (sizes[file] && format !== 'gzip') t.equal(d.disks[0]!.size, sizes[file].size, file);
    t.match(d.xl.pv.lines.at(-1), new RegExp(`"${line},vdev=xvda,`), file);
    const converted = d.xl.pv.commands.join('\n');
    if (line === 'format=raw')
      t.match(
        converted,
        format === 'gzip' ? /^gunzip --stdout/ : new RegExp(`^qemu-img convert -f ${format} -O raw`),
        file,
      );
    else t.equal(converted, '', file);
  }
});

t.test("tables: Linux' and sfdisk's rows", async (t) => {
  let rows = 0;
  for (const [name, one] of layouts(['partition-tables']) as Map<string, Row>) {
    if (!one.expected?.partitions) continue;
    const { table } = inspectSources([SparseSource.from(one)], ['disk']).disks[0]!;
    t.equal(table?.scheme ?? null, one.expected.scheme ?? null, name);
    const own = (table?.partitions ?? []).filter(
      (p) => !p.flags.includes('extended') && !p.flags.includes('beyond-end'),
    );
    const wanted = one.expected.partitions.map((p: Row) => [p.number, p.start, p.size, p.type, p.active]);
    t.same(
      own
        .map((p) => [p.number, p.start, p.size, p.type, p.flags.includes('active')])
        .sort((a: Row, b: Row) => a[0] - b[0]),
      wanted.sort((a: Row, b: Row) => a[0] - b[0]),
      name,
    );
    rows += own.length;
  }
  t.ok(rows > 20, `${rows} rows`);
});

t.test('LVM and md: what lvm2 and mdadm said when they were made', async (t) => {
  // A set's members stand one after the other in the file (test/volume/sets.ts).
  const members = (name: string, sizes: readonly number[]): Record<string, Buffer> => {
    const all = image(`${name}.img`);
    let at = 0;
    return Object.fromEntries(
      sizes.map((size, i) => {
        at += size;
        return [`disk${i}`, all.subarray(at - size, at)];
      }),
    );
  };
  for (const set of JSON.parse(read('lvm.json').toString()).sets.slice(0, 6)) {
    const d = inspect(members(set.name, set.members));
    for (const [volume, facts] of Object.entries(set.volumes ?? {}) as [string, Row][]) {
      const lv = d.groups.flatMap((group) => group.logicalVolumes).find((one) => one.name === volume);
      t.equal(lv?.size, facts.size, `${set.name} ${volume}`);
      t.equal(`lvmid/${d.groups[0]!.uuid}/${lv?.uuid}`, set.ids[volume]);
      t.ok(d.disks.some((disk) => disk.name === lv?.disk && disk.kind === 'logical-volume'));
    }
    t.equal(
      d.groups[0]!.physicalVolumes.filter((pv) => pv.volume !== null).length,
      set.members.length,
      set.name,
    );
    t.equal(d.boots, true, set.name);
  }
  const missing = JSON.parse(read('lvm.json').toString()).sets.find((set: Row) => set.name === 'lvm-span');
  const half = inspect({ disk0: members('lvm-span', missing.members).disk0! });
  t.equal(half.groups[0]!.physicalVolumes.filter((pv) => pv.volume === null).length, 1, 'one is missing');
  for (const set of JSON.parse(read('md.json').toString()).sets.slice(0, 12)) {
    const d = inspect(members(set.name, set.members));
    t.match(d.arrays[0], { metadata: set.metadata }, set.name);
    t.equal(d.arrays[0]!.level.replace('raid', ''), set.level, set.name);
    t.equal(d.disks.find((disk) => disk.kind === 'array')?.size, set.size, set.name);
    t.equal(d.disks[0]!.content?.type, 'linux_raid_member');
  }
});

t.test('encrypted: what cryptsetup was told (fixtures/recipes/luks.sh)', async (t) => {
  const d = inspect({ disk: image('luks-2.img') });
  t.equal(d.boots, false);
  t.match(d.encrypted, [
    {
      volume: 'hd0',
      type: 'LUKS2',
      uuid: '22222222-3333-4444-8555-666666666666',
      label: 'fixture',
      openedAs: null,
    },
  ]);
  t.match(d.encrypted[0]!.how, /--key-file/);
  t.match(inspect({ disk: image('luks-1.img') }).encrypted, [{ type: 'LUKS1' }]);
});

t.test('a disc', async (t) => {
  const d = inspect({ disc: image('iso9660-hybrid-mbr.img') });
  t.equal(d.disks[0]!.content?.type, 'iso9660');
  t.match(d.xl.pv.lines.at(-1), /access=ro,devtype=cdrom/);
});

t.test('nothing, little, anything', async (t) => {
  t.match(inspect({ disk: Buffer.alloc(8 << 20) }).disks[0]!.content, { kind: 'empty', type: null });
  t.match(inspect({ disk: Buffer.alloc(0) }), { boots: false });
  let seed = 1;
  const random = Buffer.from(
    Uint8Array.from({ length: 1 << 20 }, () => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      return seed >>> 24;
    }),
  );
  random[510] = 0;
  const d = inspect({ disk: random });
  t.match(d.disks[0]!.content, { kind: 'unknown', name: /random/ });
  t.match(d.reasons[0], /drawn at random/);
});

t.test('a disk that is cut off', async (t) => {
  const whole = image('example.img');
  const d = inspect({ disk: whole.subarray(0, 700 * 1024) });
  const [p] = d.disks[0]!.table!.partitions;
  const before = inspect({ disk: whole }).disks[0]!.table!.partitions[0]!;
  t.equal(p!.declaredSize, before.size, "the table's own number");
  t.equal(p!.size, 700 * 1024 - before.start);
  t.match(p!.content?.problem, /bytes are missing at its end/);
  t.equal(d.disks[0]!.table!.madeFor, whole.length);
  t.ok(d.warnings.some((text) => text.includes(`its table is made for ${whole.length} bytes`)));
  t.match(d.advice[0], { level: 'needed', seen: /cut off/ });
});

t.test('an array without its members does not end the search', async (t) => {
  const set = JSON.parse(read('md.json').toString()).sets.find(
    (one: Row) => one.name === 'md-12-stale-raid5',
  );
  const d = inspect({ disk: image('md-12-stale-raid5.img').subarray(0, set.members[0]) });
  t.equal(d.boots, false);
  t.same(d.arrays[0]!.members.filter((member) => member === null).length, 2);
});

t.test('guest text stays text', async (t) => {
  const disk = Buffer.from(image('example.img'));
  const at = disk.indexOf("# The example disk's menu");
  const text =
    "menuentry '\x1b[31mRuntimeError: x' {\nlinux /boot/vmlinuz-6.1.0-example-amd64 'a\"b\\\\c' \x07 root=/dev/sda1\n}\n#";
  disk.fill('\n', at, disk.indexOf(0, at));
  disk.write(text, at, 'latin1');
  const d = inspect({ '/i/x': disk });
  t.equal(d.boot?.title, '\x1b[31mRuntimeError: x', 'the document has it as it is');
  const shown = textOf(d, plain);
  t.notMatch(shown, /[\x00-\x09\x0b-\x1f]/);
  t.notMatch(shown, /RuntimeError: /);
  const line = d.xl.direct.lines.find((one) => one.startsWith('cmdline'));
  t.notMatch(line, /[\x00-\x1f]/);
  t.match(d.advice.slice(0, 1), [
    {
      level: 'needed',
      seen: /root=\/dev\/sda1/,
      change: /extra="root=UUID=6f1c2f0a-5a3d-4e57-9c1e-3d1f0c8b7a21"/,
    },
  ]);
});

t.test('a limit leaves a part out, and says so', async (t) => {
  const d = inspect({ disk: image('example.img') }, { runSteps: 300 });
  t.ok(d.warnings.length > 0 || d.boots, 'a document all the same');
});
