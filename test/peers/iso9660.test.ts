/**
 * The ISO 9660 driver against Linux' isofs (uml.sh), xorriso, GRUB and bsdtar, over images that xorriso, genisoimage,
 * grub-mkrescue and isohybrid make on the spot: file by file, sum by sum; and hybrid images booted by the program.
 */
import { createHash } from 'node:crypto';
import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { driver } from '../../fsdrivers/iso9660/driver';
import { toUnicode } from '../../lib/bytes/text';
import { fileExtents } from '../../lib/fs/file';
import type { FileSystem, FsNode } from '../../lib/fs/types';
import { walk } from '../../lib/fs/walk';
import { CacheSource } from '../../lib/source/cache';
import { openDisk } from '../../lib/source/file';
import { context, ROOT, sample, THOROUGH } from '../support';
import { boot, makeFs, must, NODEGRUB, noLoop, run, scratch, sha256 } from './support';
import { inLinux } from './uml';

const TREE = join(ROOT, 'fixtures/recipes/iso9660-tree.sh');
const ISOLINUX =
  '-b isolinux/isolinux.bin -c isolinux/boot.cat -no-emul-boot -boot-load-size 4 -boot-info-table'.split(' ');
const EFI = ['-eltorito-alt-boot', '-e', 'efi.img', '-no-emul-boot'];

/** By this driver, also where there is a UDF over the same files (udf.test.ts). */
const openImage = (path: string): FileSystem => driver.open([new CacheSource(openDisk(path))], context());

function sum(fs: FileSystem, node: FsNode): string {
  const hash = createHash('sha256');
  for (const e of fileExtents(fs, node, context())) {
    if (e.kind === 'hole') hash.update(Buffer.alloc(e.length));
    else if (e.kind === 'packed') hash.update(e.unpack());
    else if (e.kind === 'data') {
      const bytes = Buffer.alloc(e.length);
      e.source.read(e.at, bytes);
      hash.update(bytes);
    }
  }
  return hash.digest('hex');
}

/** In the form of iso9660-tree.sh --list. */
function* list(fs: FileSystem, dir: FsNode, path: string): Generator<string> {
  for (const entry of fs.readdir(dir)) {
    const node = entry.node();
    const name = path + toUnicode(entry.name);
    if (node.kind === 'directory') {
      yield `d ${name}`;
      yield* list(fs, node, `${name}/`);
    } else if (node.kind === 'symlink') yield `l ${toUnicode(fs.readlink(node))}\t${name}`;
    else if (node.kind === 'other') yield `o ${name}`;
    else yield `f ${node.size} ${node.mtime} ${sum(fs, node)} ${name}`;
  }
}

const lines = (text: string) => text.trimEnd().split('\n').sort();
const listing = (path: string, more: object = {}) =>
  lines(
    Buffer.from(
      must('env', ...Object.entries(more).map(([k, v]) => `${k}=${v}`), 'bash', TREE, '--list', path),
      'latin1',
    ).toString('utf8'),
  );

t.test('images of every kind', async (t) => {
  const dir = scratch(t);
  const [all, short, plain] = ['all', 'short', 'plain'].map((name) => join(dir, name)) as [
    string,
    string,
    string,
  ];
  must('bash', TREE, all, '500');
  must('env', 'LINK=15', 'bash', TREE, short, '300');
  must('env', 'PLAIN=1', 'bash', TREE, plain, '600');
  const images: [string, string, string[]][] = sample(
    [
      ['xorriso -R', 'xorriso', ['-as', 'mkisofs', '-quiet', '-R', all]],
      ['xorriso -R -J', 'xorriso', ['-as', 'mkisofs', '-quiet', '-R', '-J', '-joliet-long', all]],
      ['xorriso -J', 'xorriso', ['-as', 'mkisofs', '-quiet', '-J', '--norock', plain]],
      ['xorriso, hfsplus', 'xorriso', ['-as', 'mkisofs', '-quiet', '-R', '-J', '-hfsplus', short]],
      ['genisoimage', 'genisoimage', ['-quiet', plain]],
      ['genisoimage -l', 'genisoimage', ['-quiet', '-l', '-allow-lowercase', plain]],
      ['genisoimage -N -d', 'genisoimage', ['-quiet', '-N', '-d', plain]],
      ['genisoimage -R', 'genisoimage', ['-quiet', '-R', short]],
      ['genisoimage -R -D', 'genisoimage', ['-quiet', '-R', '-D', short]],
      ['genisoimage -R -hide-rr-moved', 'genisoimage', ['-quiet', '-R', '-hide-rr-moved', short]],
      ['genisoimage -R -hfs', 'genisoimage', ['-quiet', '-R', '-hfs', short]],
      ['genisoimage -R -udf', 'genisoimage', ['-quiet', '-R', '-udf', short]],
      ['genisoimage -J', 'genisoimage', ['-quiet', '-J', '-joliet-long', plain]],
      ['bsdtar', 'bsdtar', ['--format', 'iso9660', '-C', short, '-cf', '-', '.']],
      [
        'bsdtar, zisofs',
        'bsdtar',
        ['--format', 'iso9660', '--options', 'zisofs=direct', '-C', all, '-cf', '-', '.'],
      ],
    ],
    2,
  );
  const paths = images.map(([, tool, args], i) => {
    const path = join(dir, `${i}.iso`);
    if (tool === 'bsdtar') must('sh', '-c', 'o=$1; shift; exec "$@" >"$o"', 'sh', path, tool, ...args);
    else must(tool, ...args.slice(0, -1), '-o', path, args.at(-1)!);
    return path;
  });
  for (const [name, options] of [
    ['zisofs of 32 KiB', 'block_size=32k'],
    ['zisofs of 128 KiB', 'block_size=128k'],
  ] as const) {
    const path = join(dir, `${paths.length}.iso`);
    must(
      'xorriso',
      '-outdev',
      path,
      '-zisofs',
      options,
      '-map',
      all,
      '/',
      '-set_filter_r',
      '--zisofs',
      '/',
      '--',
    );
    images.push([name, 'xorriso', [all]]);
    paths.push(path);
  }
  inLinux(
    dir,
    `mkdir -p ${dir}/mnt
    for f in ${paths.join(' ')}; do
      mount -t iso9660 -o loop,ro,utf8 $f ${dir}/mnt || continue
      bash ${TREE} --list ${dir}/mnt >$f.list
      umount ${dir}/mnt
    done`,
  );
  for (const [i, path] of paths.entries()) {
    const [name, , args] = images[i]!;
    const fs = openImage(path);
    const theirs = lines(readFileSync(`${path}.list`, 'utf8'));
    t.ok(theirs.length > 300, `${name}: ${theirs.length} paths`);
    t.same([...list(fs, fs.root, '')].sort(), theirs, name);
    // The UDF side of a bridge has a UUID of its own, which blkid and GRUB take.
    const bridge = name.includes('udf');
    if (!bridge)
      t.equal(
        fs.uuid,
        run('blkid', ['-p', '-o', 'value', '-s', 'UUID', path]).stdout.trim() || undefined,
        name,
      );
    // What was put in comes out: Rock Ridge keeps all of it.
    if (/xorriso -R|zisofs of|-D/.test(name))
      t.same([...list(fs, fs.root, '')].sort(), listing(args.at(-1)!), name);
    if (/zisofs/.test(name)) continue;
    for (const file of ['/boot/initrd.img', '/2k-and-1'].filter((f) =>
      theirs.some((l) => l.endsWith(` ${f.slice(1)}`)),
    )) {
      const grub = must('grub-fstest', path, 'cat', file);
      t.equal(sha256(Buffer.from(grub, 'latin1')), sum(fs, walk(fs, file)), `${name}: GRUB reads ${file}`);
    }
    const uuid = run('grub-probe', ['-d', path, '-t', 'fs_uuid']);
    if (uuid.status === 0 && !bridge) t.equal(uuid.stdout.trim(), fs.uuid, `${name}: GRUB`);
  }
});

t.test('zisofs of version 2, which Linux does not know', async (t) => {
  const dir = scratch(t);
  const [tree, path] = [join(dir, 'tree'), join(dir, 'iso')];
  must('bash', TREE, tree, '10');
  for (const size of ['32k', '64k', '128k']) {
    must('rm', '-f', path);
    const options = `version_2=on:block_size_v2=${size}`;
    must(
      'xorriso',
      '-outdev',
      path,
      '-zisofs',
      options,
      '-map',
      tree,
      '/',
      '-set_filter_r',
      '--zisofs',
      '/',
      '--',
    );
    const fs = openImage(path);
    t.same([...list(fs, fs.root, '')].sort(), listing(tree), size);
    t.ok([...fileExtents(fs, walk(fs, 'boot/initrd.img'), context())].every((e) => e.kind === 'packed'));
  }
});

t.test('a file of more than 4 GiB', { skip: !THOROUGH && 'writes 4.5 GB, for THOROUGH=1' }, async (t) => {
  const dir = scratch(t);
  mkdirSync(join(dir, 'tree'));
  const [big, path] = [join(dir, 'tree/big'), join(dir, 'iso')];
  const size = 4.5 * 2 ** 30;
  writeFileSync(big, 'first');
  truncateSync(big, size);
  const fd = openSync(big, 'r+');
  const places = [2 ** 32 - 4096, 2 ** 32 - 2048, 2 ** 32 + 5, size - 6];
  for (const place of places) writeSync(fd, `at ${String(place).slice(-3)}`, place);
  closeSync(fd);
  // The image is as sparse as the file.
  must(
    'sh',
    '-c',
    'xorriso -as mkisofs -quiet -R -iso-level 3 "$1" | cp --sparse=always /dev/stdin "$2"',
    'sh',
    join(dir, 'tree'),
    path,
  );
  const fs = openImage(path);
  const node = walk(fs, 'big');
  t.equal(node.size, size);
  const extents = [...fs.extents(node)];
  t.equal(extents.length, 1, 'sections that touch are one');
  const [extent] = extents;
  if (extent?.kind !== 'data') throw new Error('one extent of data');
  for (const place of places) {
    const bytes = Buffer.alloc(6);
    extent.source.read(extent.at + place, bytes);
    t.equal(bytes.toString(), `at ${String(place).slice(-3)}`);
  }
});

t.test('hybrid images', async (t) => {
  const dir = scratch(t);
  const tree = join(dir, 'tree');
  must('env', 'PLAIN=1', 'bash', TREE, tree, '10');
  const efi = join(tree, 'efi.img');
  makeFs(efi, { fs: 'fat12', size: 256, tree: { 'efi/boot/bootx64.efi': 'loader' } });
  must(
    'cp',
    '/usr/lib/ISOLINUX/isolinux.bin',
    '/usr/lib/syslinux/modules/bios/ldlinux.c32',
    join(tree, 'isolinux'),
  );
  must(
    'grub-mkimage',
    '-O',
    'i386-pc-eltorito',
    '-p',
    '/boot/grub',
    '-o',
    join(tree, 'eltorito.img'),
    'biosdisk',
    'iso9660',
  );
  const mbr = ['-isohybrid-mbr', '/usr/lib/ISOLINUX/isohdpfx.bin'];
  const out = (name: string) => join(dir, `${name}.iso`);
  const x = (name: string, ...args: string[]) =>
    must('xorriso', '-as', 'mkisofs', '-quiet', '-R', '-J', ...args, '-o', out(name), tree);
  x('isohybrid-mbr', ...mbr, ...ISOLINUX);
  x('debian-netinst', ...mbr, ...ISOLINUX, ...EFI, '-isohybrid-gpt-basdat', '-isohybrid-apm-hfsplus');
  x('debian-live', ...mbr, '-partition_offset', '16', ...ISOLINUX, ...EFI, '-isohybrid-gpt-basdat');
  x(
    'ubuntu',
    ...[
      '--grub2-mbr',
      '/usr/lib/grub/i386-pc/boot_hybrid.img',
      '--protective-msdos-label',
      '-partition_cyl_align',
      'off',
    ],
    ...[
      '-partition_offset',
      '16',
      '--mbr-force-bootable',
      '-append_partition',
      '2',
      '28732ac11ff8d211ba4b00a0c93ec93b',
      efi,
    ],
    ...['-appended_part_as_gpt', '-iso_mbr_part_type', 'a2a0d0ebe5b9334487c068b6b72699c7'],
    ...[
      '-b',
      'eltorito.img',
      '-no-emul-boot',
      '-boot-load-size',
      '4',
      '-boot-info-table',
      '--grub2-boot-info',
    ],
  );
  must('genisoimage', '-quiet', '-R', '-J', ...ISOLINUX, '-o', out('isohybrid'), tree);
  must('isohybrid', out('isohybrid'));
  must('grub-mkrescue', '-o', out('grub-mkrescue'), tree);
  const kernel = readFileSync(join(tree, 'boot/vmlinuz'));
  const ramdisk = readFileSync(join(tree, 'boot/initrd.img'));
  const names = ['isohybrid-mbr', 'debian-netinst', 'debian-live', 'ubuntu', 'isohybrid', 'grub-mkrescue'];
  const boots = (disk: string, label: string) => {
    const r = boot(NODEGRUB, dir, [disk]);
    t.equal(r.status, 0, `${label}: ${r.stderr}`);
    t.ok(r.kernel?.equals(kernel), `${label}: kernel`);
    t.ok(r.ramdisk?.equals(ramdisk), `${label}: ramdisk`);
    t.equal(r.args, 'quiet', label);
  };
  for (const name of names) boots(out(name), name);

  // In a drive with sectors of 2,048 bytes.
  const why = noLoop();
  if (why) t.comment(`no drive: ${why}`);
  else
    for (const name of names) {
      const device = must('losetup', '-r', '-b', '2048', '-f', '--show', out(name)).trim();
      try {
        boots(device, `${name} in a drive`);
      } finally {
        run('losetup', ['-d', device]);
      }
    }

  // Inside another filesystem, as a multiboot stick has it.
  const config = `loopback loop /live.iso
menuentry live { linux (loop)/boot/vmlinuz quiet
initrd (loop,1)/boot/initrd.img }
`;
  const stick = join(dir, 'stick');
  for (const fs of ['ext4', 'fat16'] as const) {
    makeFs(stick, {
      fs,
      size: 16 * 1024,
      tree: { 'boot/grub/grub.cfg': config, 'live.iso': readFileSync(out('debian-live')) },
    });
    boots(stick, `loopback on ${fs}`);
  }
});
