/**
 * Small loaders and guesses against what there is to ask: pygrub for NetWare; for a guess, what the same Debian disk boots with its
 * grub.cfg; `sort -V`, `linux-version`; readelf for notes; dash for shell assignments; mkimage for a header.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import t from 'tap';
import { compareRpm } from '../../lib/boot/bls/version';
import { shellVariables } from '../../lib/boot/guess/cmdline';
import { readXenNotes, XEN_NOTE } from '../../lib/kernel/elf';
import { bzImage } from '../boot/images';
import { MemoryFs } from '../boot/memfs';
import { elf, FREEBSD } from '../kernel/elf';
import { context, ROOT } from '../support';
import { boot, makeDisk, must, NODEGRUB, PYGRUB, run, scratch, sha256 } from './support';

const dir = scratch(t);

function fixture(name: string): string {
  const path = join(dir, `${name}.img`);
  writeFileSync(path, gunzipSync(readFileSync(join(ROOT, 'fixtures/images', `${name}.img.gz`))));
  return path;
}

t.test('NetWare, as pygrub', async (t) => {
  const tree = {
    'nwserver/xnloader.sys': 'the loader\n',
    'boot/grub/grub.cfg': 'menuentry x {\n linux /x\n}\n',
  };
  const disk = join(dir, 'netware-mbr.img');
  makeDisk(disk, 'mbr', [
    { fs: 'ext2', tree: { 'boot/other': 'x' } },
    { fs: 'ext2', tree },
  ]);
  for (const path of [fixture('netware'), disk])
    for (const args of [[], ['--args=a  b root=c']]) {
      const [ours, theirs] = [boot(NODEGRUB, dir, [...args, path]), boot(PYGRUB, dir, [...args, path])];
      t.equal(ours.status, 0, ours.stderr);
      t.equal(theirs.status, 0, theirs.stderr);
      t.same([ours.args, ours.ramdisk], [theirs.args, theirs.ramdisk]);
      t.ok(ours.kernel?.equals(theirs.kernel!), 'the same kernel');
    }
});

t.test('Solaris: --args in their place', async (t) => {
  const ours = boot(NODEGRUB, dir, ['--args=-k root=/dev/dsk/c0d0s0 ip=dhcp', fixture('solaris')]);
  t.equal(ours.status, 0, ours.stderr);
  t.equal(ours.args, 'root=/dev/dsk/c0d0s0 ip=dhcp /platform/i86xpv/kernel/amd64/unix -k');
  t.equal(ours.ramdisk?.toString(), '/platform/i86pc/amd64/boot_archive\n');
});

t.test('FreeBSD: --args with commas', async (t) => {
  const ours = boot(NODEGRUB, dir, ['--args=boot_single=1', fixture('bsd')]);
  t.match(ours.args, /^vfs\.root\.mountfrom=ufs:\/dev\/ada0p2,.*,-s,boot_single=1$/);
  t.match(ours.stderr, /starts as PVH/);
});

t.test('a Debian disk without its grub.cfg', async (t) => {
  const built = spawnSync('bash', [join(ROOT, 'bench/disks/debian12.sh')], {
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  if (built.status === 77) {
    t.comment(built.stderr.trim());
    return;
  }
  t.equal(built.status, 0, built.stderr);
  const disk = built.stdout.trim();
  const files = JSON.parse(readFileSync(join(dirname(disk), 'disk.json'), 'utf8'));
  const copy = join(dir, 'debian.img');
  must('cp', '--sparse=always', '--reflink=auto', disk, copy);
  const table = JSON.parse(must('sfdisk', '--json', copy)).partitiontable;
  for (const { start } of table.partitions) {
    const fs = `${copy}?offset=${start * 512}`;
    const listed = run('debugfs', ['-R', 'ls -p /boot/grub', fs]);
    if (listed.stdout.includes('/grub.cfg/')) must('debugfs', '-w', '-R', 'rm /boot/grub/grub.cfg', fs);
  }
  const [whole, guessed] = [boot(NODEGRUB, dir, [disk]), boot(NODEGRUB, dir, [copy])];
  t.equal(whole.status, 0, whole.stderr);
  t.equal(guessed.status, 0, guessed.stderr);
  t.match(guessed.stderr, /guess/, 'says that it is a guess');
  t.equal(sha256(guessed.kernel!), files.kernel.sha256, 'the same kernel');
  t.equal(sha256(guessed.ramdisk!), files.ramdisk.sha256, 'the same ramdisk');
  t.equal(guessed.args, whole.args, 'the same arguments');
  t.not(boot(NODEGRUB, dir, ['--no-guess', copy]).status, 0, '--no-guess');
});

t.test('which kernel is newest', async (t) => {
  const versions = [
    ...[
      '5.10.0-8-amd64',
      '5.10.0-30-amd64',
      '6.1.0-9-amd64',
      '6.1.0-18-amd64',
      '6.1.0-18-cloud-amd64',
      '6.12.9-amd64',
    ],
    ...[
      '5.14.0-70.el9.x86_64',
      '5.14.0-362.8.1.el9_3.x86_64',
      '5.14.0-362.18.1.el9_3.x86_64',
      '4.18.0-553.el8.x86_64',
    ],
    ...[
      '6.4.0-150600.23-default',
      '6.4.0-150600.9-default',
      '2.6.32-5-amd64',
      '3.2.0-4-amd64',
      '6.1.12-gentoo',
    ],
  ];
  for (const set of [versions.slice(0, 6), versions.slice(6, 10), versions.slice(10, 12)]) {
    const sorted = must('sh', '-c', 'printf "%s\\n" "$@" | sort -rV', 'sh', ...set)
      .trim()
      .split('\n');
    t.same(
      [...set].sort((a, b) => compareRpm(b, a)),
      sorted,
    );
  }
});

t.test('shell assignments, as dash', async (t) => {
  const texts = [
    ...[
      'V=plain',
      'V="two words"',
      "V='a\"b$c'",
      'V="a\\"b\\$c\\d"',
      'V=a\\ b',
      'A=x\nV="$A \x24{A}y"',
      'V="$NONE"',
    ],
    ...[
      'V=a#b # c',
      'V="one\\\ntwo"',
      'V=1\nexport V=2',
      'V=x;true',
      'V="a"\'b\'c',
      'V="a`\\`"',
      'V=',
      'V="#"',
      "V='\\'",
    ],
  ].filter((text) => !text.includes('`'));
  for (const text of texts) {
    const file = join(dir, 'assignments');
    writeFileSync(file, `unset NONE\n${text}\nprintf %s "$V"\n`);
    t.equal(shellVariables(text, context()).get('V'), must('dash', file), JSON.stringify(text));
  }
});

t.test('the recorded /etc/default/grub', async (t) => {
  const folder = join(ROOT, 'fixtures/configs/guess');
  const show = `. ${folder}/default-grub; printf '%s\\n' "$GRUB_CMDLINE_LINUX" "$GRUB_CMDLINE_LINUX_DEFAULT"`;
  t.equal(must('dash', '-c', show), readFileSync(join(folder, 'default-grub.expected'), 'latin1'));
});

t.test('ELF notes, as readelf', async (t) => {
  const types = new Set<number>(Object.values(XEN_NOTE));
  const samples = [
    FREEBSD,
    elf({
      section: [
        { type: 5, text: 'xen-3.0\0' },
        { type: 1, text: 'abcdefgh' },
        { name: 'GNU', type: 1, text: 'x' },
      ],
    }),
    elf({
      bits: 32,
      section: [
        { type: 18, text: 'abcd' },
        { type: 8, text: 'generic\0' },
      ],
    }),
  ];
  for (const [i, sample] of samples.entries()) {
    const path = join(dir, `elf${i}`);
    writeFileSync(path, sample);
    const theirs = [
      ...must('readelf', '-Wn', path).matchAll(
        /^ +Xen +0x([0-9a-f]{8})\s+(?:\w[^\n]*?)?(?:type: )?\(?0x([0-9a-f]+)|^ +Xen +0x([0-9a-f]{8})/gm,
      ),
    ];
    const fs = new MemoryFs({ k: sample });
    const { notes } = readXenNotes(fs, fs.lookup(fs.root, 'k')!, context());
    t.equal(notes.size, theirs.length, `${theirs.length} notes`);
    t.same(
      [...notes.values()].map((description) => description.length),
      theirs.map((match) => Number.parseInt(match[1] ?? match[3]!, 16)),
      'of the same sizes',
    );
    t.ok([...notes.keys()].every((type) => types.has(type)));
  }
});

t.test("U-Boot's script, by mkimage", async (t) => {
  const script = join(dir, 'boot.cmd');
  const image = join(dir, 'boot.scr');
  writeFileSync(script, 'bootm\n');
  must('mkimage', '-A', 'arm64', '-T', 'script', '-C', 'none', '-n', 'A name', '-d', script, image);
  const disk = join(dir, 'board.img');
  makeDisk(disk, 'mbr', [{ fs: 'fat16', size: 8192, tree: { 'boot.scr': readFileSync(image) } }]);
  const ours = boot(NODEGRUB, dir, [disk]);
  t.equal(ours.status, 1);
  t.match(ours.stderr, /RuntimeError: .*boot\.scr: a U-Boot script \('A name'\), which is not run here/);
});

t.test('lilo.conf with a separate /boot, on a real table', async (t) => {
  const disk = join(dir, 'lilo-mbr.img');
  const uuid = '11111111-2222-3333-4444-555555555555';
  makeDisk(disk, 'mbr', [
    { fs: 'ext2', uuid, tree: { 'vmlinuz-2': bzImage('separate'), 'initrd-2': 'i' } },
    {
      fs: 'ext4',
      tree: {
        vmlinuz: { to: 'boot/vmlinuz-2' },
        'boot/.keep': '',
        'etc/fstab': `UUID=${uuid} /boot ext2 defaults 0 2\n/dev/xvda2 / ext4 defaults 0 1\n`,
        'etc/lilo.conf': 'root=current\nread-only\nimage=/vmlinuz\n label=Linux\n initrd=/boot/initrd-2\n',
      },
    },
  ]);
  const ours = boot(NODEGRUB, dir, [disk]);
  t.equal(ours.status, 0, ours.stderr);
  t.equal(ours.args, 'BOOT_IMAGE=Linux ro root=/dev/xvda2');
  t.ok(ours.kernel?.equals(bzImage('separate')));
  t.equal(ours.ramdisk?.toString(), 'i');
});
