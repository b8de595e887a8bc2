/** Samples of fixtures/recipes/ufs.sh, and damage. */
import { walk } from '../../../lib/fs/walk';
import { type Act, damaged, enter, find, link, malformedSamples, opened, read } from '../suite';

const kernel = read('/boot/vmlinuz');
/** Where a file's bytes are, all of them. */
const places: Act = (fs) => [...fs.extents(walk(fs, '/boot/vmlinuz'))].length;

malformedSamples('ufs', {
  'corrupt-block-size': [opened, /blocks of 5000 bytes/],
  'corrupt-fragments': [opened, /in 3 fragments/],
  'corrupt-inodes-per-block': [opened, /3 inodes in a block/],
  'corrupt-pointers': [opened, /7 pointers in a block/],
  'corrupt-groups': [opened, /groups of 0 inodes/],
  'corrupt-size': [opened, /1125899906842624 fragments in/],
  'corrupt-root': [opened, /root inode is not a directory/],
  'corrupt-freed-inode': [kernel, /a freed inode/],
  'corrupt-inode-number': [kernel, /inode 2147483647: \d+ groups of/],
  'corrupt-block-beyond-end': [kernel, /block 0 at fragment 1099511627776/],
  'corrupt-indirect-beyond-end': [kernel, /indirect block at fragment 1099511627776/],
  'corrupt-block-in-indirect': [kernel, /block 13 at fragment 8589934592/],
  'corrupt-file-size': [places, /more than a file can have/],
  'corrupt-entry-length-zero': [enter('/boot'), /entry of 0 bytes/],
  'corrupt-entry-length-beyond': [enter('/boot'), /entry of 65532 bytes/],
  'corrupt-entry-name': [enter('/boot'), /name of 255/],
  'corrupt-directory-hole': [enter('/boot'), /a hole in block 0/],
  'limit-directory-size': [find('/boot/vmlinuz'), /directory of 1099511627776 bytes/],
  'limit-link-size': [link('/link900'), /link of 5000 bytes/],
  'corrupt-link-zero': [link(`/link59`), /zero byte/],
});

for (const name of ['1', '1-be', '2', '2-be']) damaged(`ufs-${name}`, { rounds: 60 });
