/**
 * What syslinux itself boots, in QEMU: every configuration of fixtures/configs/syslinux as it is and, where its
 * `.expected` names labels, with each of them as DEFAULT. `RECORD=1` writes the `.expected` files; the tests of the dialect
 * (test/boot/syslinux) compare with them.
 */
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ROOT } from '../support';
import { must, scratch } from './support';
import { bootWitness, buildWitness } from './witness';

const CONFIGS = join(ROOT, 'fixtures', 'configs', 'syslinux');
const MODULES = '/usr/lib/syslinux/modules/bios';

/** A FAT disk with syslinux, its modules, kernels a, b, c, d and `image`, and three ramdisks. */
function makeBase(dir: string): string {
  const tree = join(dir, 'boot');
  mkdirSync(join(tree, 'syslinux', 'sub'), { recursive: true });
  cpSync(join(CONFIGS, 'files'), join(tree, 'syslinux'), { recursive: true });
  const kernels = {
    'syslinux/vmlinuz-a': 'a',
    'syslinux/vmlinuz-b': 'b',
    'vmlinuz-c': 'c',
    'syslinux/sub/vmlinuz-d': 'd',
    'kernel.img': 'image',
  };
  for (const [path, name] of Object.entries(kernels)) writeFileSync(join(tree, path), buildWitness(name));
  writeFileSync(join(tree, 'syslinux', 'i1'), 'one '.repeat(25));
  writeFileSync(join(tree, 'syslinux', 'i2'), 'two '.repeat(50));
  writeFileSync(join(tree, 'i3'), 'three '.repeat(50));
  for (const name of readdirSync(MODULES))
    if (/^(menu|vesamenu|libutil|libcom32|ifcpu64|linux|whichsys|cmd|config)\.c32$/.test(name))
      copyFileSync(join(MODULES, name), join(tree, 'syslinux', name));
  const base = join(dir, 'base.img');
  writeFileSync(base, '');
  truncateSync(base, 4 << 20);
  must('mkfs.vfat', '-F', '12', '-i', '12AB34CD', base);
  must('mcopy', '-s', '-Q', '-i', base, tree, '::/');
  must('syslinux', '-i', '-d', '/boot/syslinux', base);
  return base;
}

t.test('what syslinux boots', async (t) => {
  const dir = scratch(t);
  const base = makeBase(dir);
  const disk = join(dir, 'disk.img');
  const config = join(dir, 'syslinux.cfg');
  for (const file of readdirSync(CONFIGS).filter((f) => f.endsWith('.cfg'))) {
    const text = readFileSync(join(CONFIGS, file), 'latin1');
    const path = join(CONFIGS, file.replace(/cfg$/, 'expected'));
    const expected: Record<string, unknown> = JSON.parse(readFileSync(path, 'latin1'));
    const seen: Record<string, unknown> = {};
    for (const label of Object.keys(expected)) {
      copyFileSync(base, disk);
      writeFileSync(config, label === '' ? text : `${text}\ndefault ${label}\n`, 'latin1');
      must('mcopy', '-o', '-i', disk, config, '::/boot/syslinux/syslinux.cfg');
      // Where nothing was booted before, waiting for it proves as much after a short while.
      const nothing = expected[label] === null && !process.env.RECORD;
      seen[label] = bootWitness(disk, { seconds: nothing ? 2 : 6 }) ?? null;
    }
    if (process.env.RECORD) writeFileSync(path, `${JSON.stringify(seen, null, 1)}\n`, 'latin1');
    t.same(seen, expected, file);
  }
});
