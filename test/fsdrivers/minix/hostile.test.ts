/** Samples of fixtures/recipes/minix.sh, and damage. */
// Compiled before a sample's time begins.
import '../../../fsdrivers/minix/driver';
import { walk } from '../../../lib/fs/walk';
import { type Act, damaged, enter, find, link, malformedSamples, opened, read } from '../suite';

const kernel = read('/boot/vmlinuz');
/** Where a file's bytes are, all of them. */
const places: Act = (fs) => [...fs.extents(walk(fs, '/boot/vmlinuz'))].length;

malformedSamples('minix', {
  'corrupt-block-size': [opened, /blocks of 1100 bytes/],
  'corrupt-zones': [opened, /512 inodes in \d+ zones/],
  'unsupported-zone-size': [opened, /zones of 2\^40 blocks/],
  'corrupt-root': [opened, /root inode is not a directory/],
  'corrupt-freed-inode': [kernel, /a freed inode/],
  'corrupt-unlinked-inode': [kernel, /a freed inode/],
  'corrupt-inode-number': [kernel, /inode 2147483647: there are 512 inodes/],
  'corrupt-zone-beyond-end': [kernel, /zone 0 at 2147483647, data are at \d+ to 1023/],
  'corrupt-zone-in-the-inodes': [kernel, /zone 0 at 5, data are at/],
  'corrupt-indirect-beyond-end': [kernel, /an indirect block at 2147483647/],
  'corrupt-zone-in-indirect': [kernel, /zone 9 at 65536/],
  'corrupt-triple-indirect': [places, /an indirect block at 5/],
  'corrupt-file-size': [places, /zone \d+ is more than a file can have/],
  'corrupt-directory-hole': [enter('/boot'), /a hole in zone 0/],
  'limit-directory-size': [find('/boot/vmlinuz'), /directory of 2147483647 bytes/],
  'limit-link-size': [link('/vmlinuz'), /link of 5000 bytes/],
  'corrupt-link-zero': [link('/vmlinuz'), /zero byte/],
});

for (const name of ['1', '3', '2-be', 'zones']) damaged(`minix-${name}`, { rounds: 40 });
