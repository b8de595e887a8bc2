/** The witness itself: what QEMU's own Linux loader hands over, it prints. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { crc32 } from '../../lib/bytes/crc32';
import { scratch } from './support';
import { bootWitness, buildWitness } from './witness';

t.test('a kernel that reports its command line and its ramdisk', async (t) => {
  const dir = scratch(t);
  const kernel = join(dir, 'kernel');
  const initrd = join(dir, 'initrd');
  const ramdisk = Buffer.from('a ramdisk of a few bytes\n'.repeat(300));
  writeFileSync(kernel, buildWitness('vmlinuz-6.1'));
  writeFileSync(initrd, ramdisk);
  const cmdline = 'root=/dev/xvda1 ro  "two words" [x]';
  t.same(bootWitness(undefined, { qemu: ['-kernel', kernel, '-initrd', initrd, '-append', cmdline] }), {
    kernel: 'vmlinuz-6.1',
    cmdline,
    ramdisk: ramdisk.length,
    crc32: crc32(ramdisk),
  });
  t.same(bootWitness(undefined, { qemu: ['-kernel', kernel] }), {
    kernel: 'vmlinuz-6.1',
    cmdline: '',
    ramdisk: 0,
    crc32: 0,
  });
});
