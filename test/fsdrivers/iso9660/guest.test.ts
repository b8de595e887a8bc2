/** ISO images as guests' disks: hybrid tables, sectors of 2,048 bytes, images inside other filesystems. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { openFileSystem } from '../../../fsdrivers';
import { dialects } from '../../../lib/boot';
import { Guest } from '../../../lib/boot/guest';
import type { GuestFile } from '../../../lib/boot/model';
import { Bootloader } from '../../../lib/bootloader';
import { readWhole } from '../../../lib/fs/file';
import { FileBackedSource } from '../../../lib/fs/file-source';
import { walk } from '../../../lib/fs/walk';
import { MemorySource } from '../../../lib/source/types';
import { readTable } from '../../../lib/volume';
import { MemoryFs, memoryGuest } from '../../boot/memfs';
import { context, image, ROOT, source } from '../../support';

const expected = JSON.parse(
  readFileSync(join(ROOT, 'fixtures/images/iso9660-hybrid-mbr.expected.json'), 'utf8'),
).files;
const sum = (file: GuestFile | undefined): string => {
  if (!file?.found) return file?.problem ?? 'nothing';
  const bytes = readWhole(file.found.fs, file.found.node, 1 << 20, context());
  return createHash('sha256').update(bytes).digest('hex');
};

for (const [name, volumes] of [
  ['iso9660-hybrid-mbr', ['hd0,msdos1 iso9660', 'hd0,msdos2 vfat', 'hd0 iso9660']],
  ['iso9660-hybrid-gpt', ['hd0,gpt1 iso9660', 'hd0,gpt2 vfat', 'hd0 iso9660']],
  ['iso9660-plain', ['hd0 iso9660']],
] as const)
  for (const sectorSize of [512, 2048])
    t.test(`${name} as a disk with sectors of ${sectorSize} bytes`, async (t) => {
      const disk = new MemorySource(image(`${name}.img`), name, sectorSize);
      const ctx = context();
      const guest = new Guest(ctx, { readTable, openFileSystem });
      const { partitions, whole } = guest.addDisk('hd0', disk);
      const found = [...partitions, whole].flatMap((volume) => {
        const fs = volume.filesystem();
        return fs ? [`${volume.name} ${fs.type}`] : [];
      });
      t.same(found, volumes);
      t.same(ctx.warnings, []);
      for (const volume of [partitions[0] ?? whole, whole]) {
        t.equal(sum(guest.file('/boot/vmlinuz', volume)), expected['boot/vmlinuz'].sha256);
        t.equal(sum(guest.file('/isolinux/isolinux.cfg', volume)), expected['isolinux/isolinux.cfg'].sha256);
      }

      const said: string[] = [];
      const decided = new Bootloader({
        disks: [disk],
        quiet: true,
        say: (line) => void said.push(line),
      }).decide(undefined);
      t.equal(decided?.title, 'Live');
      t.match(decided?.where, /iso9660: \/boot\/grub\/grub\.cfg: menuentry 'Live'$/);
      t.equal(decided?.target.args, 'quiet');
      t.equal(sum(decided?.target.kernel), expected['boot/vmlinuz'].sha256);
      t.equal(sum(decided?.target.initrds[0]?.file), expected['boot/initrd.img'].sha256);
    });

t.test('the whole disk is read when the table leads nowhere', async (t) => {
  const bytes = image('iso9660-hybrid-mbr.img');
  // As grub-mkrescue does it: the only row covers all but the first sector, where no filesystem begins.
  bytes.fill(0, 446, 510);
  bytes[446 + 4] = 0xcd;
  bytes.writeUInt32LE(1, 446 + 8);
  bytes.writeUInt32LE(bytes.length / 512 - 1, 446 + 12);
  const decided = new Bootloader({
    disks: [new MemorySource(bytes)],
    quiet: true,
    say: () => {},
  }).decide(undefined);
  t.match(decided?.where, /^disk iso9660: /);
  t.equal(sum(decided?.target.kernel), expected['boot/vmlinuz'].sha256);
});

t.test('loopback', async (t) => {
  const config = `loopback loop (hd0)/images/live.iso
menuentry live {
  linux (loop)/boot/vmlinuz findiso=/images/live.iso
  initrd (loop)/boot/initrd.img
}
menuentry by-uuid {
  search --set=root --fs-uuid ${openFileSystem(source('iso9660-hybrid-mbr.img'), context(), () => [])?.uuid}
  linux /BOOT/vmlinuz
}
`;
  const fs = new MemoryFs({
    images: { 'live.iso': image('iso9660-hybrid-mbr.img') },
    'grub.cfg': config,
  });
  const ctx = context();
  const guest = memoryGuest(ctx, [fs], (inner) => openFileSystem(inner, ctx, () => []));
  const volume = guest.device('hd0')!;
  const grub2 = dialects.find((d) => d.name === 'grub2')!;
  const path = '/grub.cfg';
  const menu = grub2.evaluate({ volume, path, fs, node: walk(fs, path) }, { ...ctx, guest, quiet: true });
  t.same(menu.warnings, []);
  const [live, byUuid] = menu.entries.map((entry) => entry.resolve());
  t.match(live, { problem: null, args: 'findiso=/images/live.iso' });
  t.equal(sum(live?.kernel), expected['boot/vmlinuz'].sha256);
  t.equal(sum(live?.initrds[0]?.file), expected['boot/initrd.img'].sha256);
  t.match(byUuid?.problem, /BOOT.vmlinuz.*not found/, 'Rock Ridge: case counts');
});

t.test('a compressed file as a disk', async (t) => {
  const fs = openFileSystem(source('iso9660-zisofs.img'), context(), () => [])!;
  const node = walk(fs, '/boot/initrd.img');
  const bytes = readWhole(fs, node, 1 << 20, context());
  const disk = new FileBackedSource(fs, node, 'loop', 1, context());
  for (const at of [0, 65_530, 69_000, 1]) {
    const part = Buffer.alloc(700);
    disk.read(at, part);
    t.same(part, bytes.subarray(at, at + 700), `at ${at}`);
  }
});
