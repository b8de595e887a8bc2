/** GRUB 0.97 (Debian's grub-legacy), its shell and its stage2 in QEMU, and pygrub, against ours. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ROOT } from '../support';
import { boot, makeDisk, NODEGRUB, PYGRUB, run, scratch } from './support';

t.test('GRUB 0.97 still says what the fixture records', async (t) => {
  const dir = scratch(t);
  // Each configuration's default in QEMU, every entry in the shell; the recipe alone boots every entry.
  const recipe = join(ROOT, 'fixtures', 'recipes', 'grublegacy.sh');
  const made = run('bash', [recipe, dir], { env: { ENTRIES_IN_QEMU: '0' } });
  t.equal(made.status, 0, made.status === 0 ? 'recipe' : made.stderr.slice(-2000));
  const images = join(ROOT, 'fixtures', 'images');
  const read = (folder: string) =>
    JSON.parse(readFileSync(join(folder, 'grublegacy.expected.json'), 'latin1'));
  const recorded = read(images);
  for (const menu of Object.values<{ entries: { boots?: unknown }[] }>(recorded))
    for (const entry of menu.entries) delete entry.boots;
  t.same(read(dir), recorded);
});

t.test('pygrub boots the same', async (t) => {
  const dir = scratch(t);
  const tree = (config: string, path = '/boot/grub/menu.lst') => ({
    [path]: config,
    '/boot/vmlinuz': 'a kernel',
    '/boot/vmlinuz-2': 'another kernel',
    '/boot/initrd.img': 'a ramdisk',
  });
  const one =
    'title One\n\troot (hd0,0)\n\tkernel /boot/vmlinuz root=/dev/xvda1 ro\n\tinitrd /boot/initrd.img\n';
  const two = 'title Two\nroot (hd0)\nkernel /boot/vmlinuz-2 root=/dev/xvda1 single\n';
  const cases: [string, 'none' | 'mbr' | 'gpt', string][] = [
    [`default 0\ntimeout 5\n${one}${two}`, 'none', '/boot/grub/menu.lst'],
    [`default=1\ntimeout=5\n${one}${two}`, 'mbr', '/boot/grub/grub.conf'],
    [`# comment\n\n${one}${two}`, 'gpt', '/boot/grub/menu.lst'],
    [`default 1\n${one}${two.replace('(hd0)', '(hd0,0)')}`, 'none', '/grub/menu.lst'],
  ];
  for (const [i, [config, table, path]] of cases.entries()) {
    const disk = join(dir, `disk${i}`);
    makeDisk(disk, table, [
      { fs: 'ext4', tree: tree(config.replace(i === 1 ? '(hd0)' : '\0', '(hd0,0)'), path) },
    ]);
    const [ours, theirs] = [boot(NODEGRUB, dir, [disk]), boot(PYGRUB, dir, [disk])];
    t.equal(ours.status, 0, ours.stderr);
    t.equal(theirs.status, 0, theirs.stderr);
    t.equal(ours.args, theirs.args);
    t.same(ours.kernel?.toString(), theirs.kernel?.toString());
    t.same(ours.ramdisk?.toString(), theirs.ramdisk?.toString());
  }
});
