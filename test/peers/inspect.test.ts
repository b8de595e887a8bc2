/** `--inspect` beside blkid, sfdisk, file and libxlu: fixture disks, and disks that are made here. */
import { existsSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import t from 'tap';
import type { Content, Inspection } from '../../lib/inspect/document';
import { MAGICS } from '../../lib/inspect/magics';
import { ROOT } from '../support';
import { makeDisk, must, NODEGRUB, run, scratch } from './support';

/** A partition as `sfdisk --json` has it; numbers are of sectors. */
interface SfdiskRow {
  readonly start: number;
  readonly size: number;
  readonly type: string;
  readonly uuid?: string;
  readonly name?: string;
  readonly bootable?: boolean;
  readonly attrs?: string;
}

const dir = scratch(t);
const images = join(ROOT, 'fixtures', 'images');

function inspected(path: string): Inspection & { status: number | null } {
  const r = run(NODEGRUB, ['--inspect', '--output-format=json', path]);
  if (r.stdout === '') throw new Error(r.stderr);
  return { ...JSON.parse(Buffer.from(r.stdout, 'latin1').toString()), status: r.status };
}

/** `blkid -p -o export`, of a place in the file. */
function blkid(path: string, offset = 0, size?: number): Record<string, string> {
  const place = offset > 0 || size !== undefined ? ['-O', String(offset), '-S', String(size)] : [];
  const r = run('blkid', ['-p', '-o', 'export', ...place, path]);
  return Object.fromEntries(
    r.stdout
      .split('\n')
      .filter((line) => line.includes('='))
      .map((line) => [
        line.slice(0, line.indexOf('=')),
        line.slice(line.indexOf('=') + 1).replace(/\\(.)/g, '$1'),
      ]),
  );
}

/** blkid's UUIDs of these are others than GRUB's, which the document has; or blkid has none. */
const OTHER_UUID = /^(hfsplus|udf|squashfs|zfs_member|ufs|minix|romfs|cramfs|erofs)$/;
/** What blkid does not name, names otherwise, or not without its other members. */
const OTHER_TYPE: Readonly<Record<string, string>> = { zfs: 'zfs_member' };

let compared = 0;
function sameContent(ours: Content | null, path: string, what: string, offset = 0, size?: number): void {
  const theirs = blkid(path, offset, size);
  if (theirs.TYPE === undefined || ours === null) return;
  compared++;
  const type = ours.type ?? '';
  t.equal(OTHER_TYPE[type] ?? type, theirs.TYPE, `${what}: type`);
  if (theirs.UUID !== undefined && !OTHER_UUID.test(theirs.TYPE))
    t.equal(ours.uuid?.toLowerCase(), theirs.UUID.toLowerCase(), `${what}: uuid`);
  if (theirs.LABEL !== undefined && !/^(udf|zfs_member|iso9660)$/.test(theirs.TYPE))
    t.equal(ours.label, theirs.LABEL, `${what}: label`);
}

function sameTable(d: Inspection, path: string, what: string): void {
  const r = run('sfdisk', ['--json', path]);
  const table = r.status === 0 ? JSON.parse(r.stdout).partitiontable : undefined;
  const own = d.disks[0]!.table;
  if (!table || !own) return;
  t.equal(own.scheme === 'msdos' ? 'dos' : own.scheme, table.label, `${what}: table`);
  t.equal(own.id, table.id.toLowerCase().replace(/^0x/, ''), `${what}: its id`);
  const ours = own.partitions.map((p) => ({
    start: p.start / table.sectorsize,
    size: p.declaredSize / table.sectorsize,
    type: p.type,
    uuid: p.uuid && own.scheme === 'gpt' ? p.uuid : undefined,
    name: p.label ?? undefined,
    bootable: p.flags.includes('active') || undefined,
  }));
  const theirs = table.partitions.map((p: SfdiskRow) => ({
    start: p.start,
    size: p.size,
    type: own.scheme === 'gpt' ? p.type.toLowerCase() : p.type.padStart(2, '0'),
    uuid: p.uuid?.toLowerCase(),
    name: p.name,
    bootable: p.bootable || /LegacyBIOSBootable/.test(p.attrs ?? '') || undefined,
  }));
  t.same(ours, theirs, `${what}: rows`);
  for (const p of own.partitions)
    if (p.content && p.size > 0) sameContent(p.content, path, `${what} ${p.name}`, p.start, p.size);
}

t.test('fixture disks, by blkid and sfdisk', async (t) => {
  const chosen =
    /^(example|bls|sdboot|syslinux|lilo|elilo|yaboot|kboot|guess|solaris|netware|bsd|grublegacy|foreign|fat-(12|16|32)|exfat-512|ext-(ext2|ext4|bigalloc)|xfs-(v4|v5)|btrfs-plain|f2fs-plain|ntfs-plain|jfs-plain|reiserfs-36|nilfs2-4k|iso9660-(plain|hybrid-mbr|hybrid-gpt)|squashfs-zstd-1m|udf-disk|hfsplus-plus|luks-[12]|lvm-(linear|thin)|md-12-raid1|zfs-plain)\.img(\.gz)?$/;
  const files = readdirSync(images).filter((name) => chosen.test(name));
  t.ok(files.length >= 35, `${files.length} disks`);
  for (const name of files) {
    const path = join(dir, name.replace(/\.gz$/, ''));
    const bytes = readFileSync(join(images, name));
    writeFileSync(path, name.endsWith('.gz') ? gunzipSync(bytes) : bytes);
    const d = inspected(path);
    t.equal(d.status, d.boots ? 0 : 1, `${name}: exit status`);
    sameTable(d, path, name);
    if (!d.disks[0]!.table) sameContent(d.disks[0]!.content, path, name);
  }
  t.ok(compared >= 30, `${compared} contents that blkid names, too`);
});

t.test('blank, random, Windows, cut off; by file(1), too', async (t) => {
  const blank = join(dir, 'blank.img');
  writeFileSync(blank, '');
  truncateSync(blank, 64 << 20);
  t.match(inspected(blank), { status: 1, disks: [{ table: null, content: { kind: 'empty' } }] });
  t.match(run('file', ['-bs', blank]).stdout, /^data/);

  const random = join(dir, 'random.img');
  must('sh', '-c', `head -c 8M /dev/urandom >'${random}'`);
  t.match(inspected(random), { status: 1, disks: [{ content: { kind: 'unknown', name: /random/ } }] });

  const windows = join(dir, 'windows.img');
  const part = (name: string, mib: number, make: (path: string) => void, at: number) => {
    const path = join(dir, name);
    writeFileSync(path, '');
    truncateSync(path, mib << 20);
    make(path);
    must('dd', `if=${path}`, `of=${windows}`, 'bs=1M', `seek=${at}`, 'conv=notrunc', 'status=none');
  };
  writeFileSync(windows, '');
  truncateSync(windows, 160 << 20);
  must(
    'sh',
    '-c',
    `printf 'label: gpt\\nsize=40M,type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B,name="EFI system partition"\\nsize=16M,type=E3C9E316-0B5C-4DB8-817D-F92DF00215AE\\nsize=50M,type=EBD0A0A2-B9E5-4433-87C0-68B6B72699C7,name="Basic data partition"\\nsize=20M,type=EBD0A0A2-B9E5-4433-87C0-68B6B72699C7\\nsize=20M,type=0657FD6D-A4AB-43C4-84E5-0933C84B4F4F\\n' | sfdisk -q --no-reread --no-tell-kernel '${windows}'`,
  );
  part(
    'esp',
    40,
    (p) => {
      must('mkfs.vfat', '-F', '32', '-n', 'SYSTEM', p);
      must('mmd', '-i', p, '::EFI', '::EFI/Microsoft', '::EFI/Microsoft/Boot');
      writeFileSync(join(dir, 'bootmgfw'), 'MZ');
      must('mcopy', '-i', p, join(dir, 'bootmgfw'), '::EFI/Microsoft/Boot/bootmgfw.efi');
    },
    1,
  );
  part(
    'ntfs',
    50,
    (p) => must('mkntfs', '-q', '-Q', '-F', '-s', '512', '-p', '0', '-H', '1', '-S', '1', '-L', 'Windows', p),
    57,
  );
  part(
    'bitlocker',
    20,
    (p) =>
      writeFileSync(
        p,
        Buffer.concat([Buffer.from('\xeb\x58\x90-FVE-FS-', 'latin1'), readFileSync(p).subarray(11)]),
      ),
    107,
  );
  part('swap', 20, (p) => must('mkswap', '-L', 'swap', p), 127);
  const d = inspected(windows);
  sameTable(d, windows, 'windows');
  t.equal(d.status, 1);
  const rows = d.disks[0]!.table!.partitions;
  t.same(
    rows.map((p) => p.content?.type),
    ['vfat', null, 'ntfs', 'BitLocker', 'swap'],
  );
  t.match(d.encrypted, [{ type: 'BitLocker', openedAs: null }]);
  t.match(d.advice[0], { level: 'needed', seen: /HVM guest only/ });
  t.ok(d.xl.hvm.lines.includes('firmware = "ovmf"'));
  t.match(run('file', ['-bs', windows]).stdout, /ID=0xee/);

  const cut = join(dir, 'cut.img');
  makeDisk(cut, 'gpt', [
    { fs: 'ext4', size: 8192, label: 'first' },
    { fs: 'ext4', size: 8192, label: 'second' },
    { fs: 'none', size: 4096 },
  ]);
  const before = JSON.parse(must('sfdisk', '--json', cut)).partitiontable.partitions;
  truncateSync(cut, before[1].start * 512 + (4 << 20));
  const c = inspected(cut).disks[0]!.table!.partitions;
  t.same(
    c.map((p) => [p.start, p.declaredSize]),
    before.map((p: SfdiskRow) => [p.start * 512, p.size * 512]),
    'what sfdisk said before',
  );
  t.equal(c[1]!.size, 4 << 20);
  t.same(c[2]!.flags, ['beyond-end']);
});

t.test('what is named by magic numbers, by blkid', async (t) => {
  const path = join(dir, 'magic.img');
  let known = 0;
  for (const row of MAGICS) {
    for (const [at, magic] of row.magics) {
      if (at < 0) continue;
      writeFileSync(path, '');
      truncateSync(path, 16 << 20);
      const bytes = readFileSync(path);
      bytes.write(magic, at, 'latin1');
      writeFileSync(path, bytes);
      const { TYPE } = blkid(path);
      if (TYPE === undefined) continue;
      known++;
      t.equal(TYPE.toLowerCase(), row.type.toLowerCase(), `${row.name} at ${at}`);
    }
  }
  t.ok(known >= 6, `${known} that blkid knows without more of them`);
});

t.test(
  'lines of an xl.cfg, read by libxlu',
  { skip: existsSync('/usr/bin/python3') ? false : 'no python3' },
  async (t) => {
    const program = `
import ctypes, glob, json, sys
lib = ctypes.CDLL(sorted(glob.glob('/usr/lib/*/libxlutil.so.*'))[0])
lib.xlu_cfg_init.restype = ctypes.c_void_p
lib.xlu_cfg_init.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
lib.xlu_cfg_get_listitem.restype = ctypes.c_char_p
lib.xlu_cfg_get_listitem.argtypes = [ctypes.c_void_p, ctypes.c_int]
lib.xlu_cfg_readdata.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]
lib.xlu_cfg_get_string.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int]
lib.xlu_cfg_get_list.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int]
cfg = lib.xlu_cfg_init(ctypes.c_void_p.in_dll(ctypes.CDLL(None), 'stderr'), b'x')
text = sys.stdin.buffer.read()
if lib.xlu_cfg_readdata(cfg, text, len(text)): sys.exit('not read')
value = ctypes.c_char_p()
lib.xlu_cfg_get_string(cfg, b'cmdline', ctypes.byref(value), 0)
disks, count = ctypes.c_void_p(), ctypes.c_int()
lib.xlu_cfg_get_list(cfg, b'disk', ctypes.byref(disks), ctypes.byref(count), 0)
print(json.dumps([value.value.decode(), [lib.xlu_cfg_get_listitem(disks, i).decode() for i in range(count.value)]]))
`;

    const args = `root=LABEL="a b" 'q' c\\d ä=1`;
    const path = join(dir, `it's, "odd".img`);
    makeDisk(path, 'none', [
      {
        fs: 'ext4',
        size: 8192,
        tree: {
          'boot/extlinux.conf': `DEFAULT a\nLABEL a\nKERNEL /boot/k\nAPPEND ${args}\n`,
          'boot/k': readFileSync('/proc/self/exe').subarray(0, 1000),
        },
      },
    ]);
    const d = inspected(path);
    t.equal(d.boot?.args, args);
    const r = run('python3', ['-c', program], {
      input: Buffer.from(`${d.xl.direct.lines.join('\n')}\n`),
    } as object);
    t.equal(r.status, 0, r.stderr);
    t.same(JSON.parse(Buffer.from(r.stdout, 'latin1').toString()), [
      args,
      [`format=raw,vdev=xvda,access=rw,target=${path}`],
    ]);
  },
);

t.test('in the strict sandbox', { skip: process.getuid?.() === 0 ? false : 'not root' }, async (t) => {
  const path = join(ROOT, 'fixtures', 'images', 'example.img');
  for (const format of ['json', 'sxp']) {
    const [basic, strict] = ['basic', 'strict'].map((sandbox) =>
      run(NODEGRUB, ['--inspect', `--sandbox=${sandbox}`, `--output-format=${format}`, path]),
    );
    t.equal(strict!.status, 0, strict!.stderr);
    t.equal(strict!.stdout, basic!.stdout, format);
  }
});
