/** Samples of fixtures/recipes/nilfs2.sh, and damage. */
// Compiled before a sample's time begins.
import '../../../fsdrivers/nilfs2/driver';
import { walk } from '../../../lib/fs/walk';
import { type Act, damaged, enter, find, link, malformedSamples, opened, read } from '../suite';

const kernel = read('/boot/vmlinuz');
const length: Act = (fs, ctx) => (kernel(fs, ctx) as string).length;
/** Where a file's bytes are, all of them. */
const places: Act = (fs) => [...fs.extents(walk(fs, '/boot/vmlinuz'))].length;

malformedSamples('nilfs2', {
  'unsupported-revision': [opened, /revision 1/],
  'unsupported-features': [opened, /incompatible features 0x4/],
  'corrupt-block-size': [opened, /blocks of 2\^7 KiB/],
  'corrupt-inode-size': [opened, /inodes of 64/],
  'corrupt-segment': [opened, /segments of 8 blocks/],
  'corrupt-log-place': [opened, /block 1099511627776 is in none of/],
  'corrupt-log-magic': [opened, /no magic number/],
  'corrupt-log-blocks': [opened, /1000 blocks, summary of/],
  'corrupt-super-root': [opened, /super root at block \d+: 16 bytes/],
  'warned-log-sum': [length, /log at block \d+: wrong checksum; read in spite of it/, 300000],
  'warned-super-root-sum': [length, /super root at block \d+: wrong checksum; read in spite of it/, 300000],
  'warned-superblock-sum': [length, /superblock: wrong checksum, and no other/, 300000],
  'warned-first-superblock': [length, /first superblock is damaged: the second is used/, 300000],
  'warned-data-log': [
    read('/after7'),
    /written after the last checkpoint cannot be followed/,
    '7'.repeat(1000),
  ],
  'corrupt-checkpoint-flags': [opened, /checkpoint \d+: flags 2/],
  'corrupt-checkpoint-number': [opened, /checkpoint \d+: flags \d+, number 5/],
  'corrupt-checkpoint-missing': [opened, /checkpoint 1073741824: not in the checkpoint file/],
  'corrupt-root': [opened, /root inode is not a directory/],
  'corrupt-freed-inode': [kernel, /a freed inode/],
  'corrupt-inode-number': [kernel, /inode 1099511627776: not in the inode file/],
  'corrupt-inode-of-metadata': [kernel, /inode 3: the number of metadata/],
  'corrupt-tree-root': [kernel, /root of a tree at level 14/],
  'corrupt-tree-level': [kernel, /level 9 below 2/],
  'corrupt-tree-children': [kernel, /level 1 below 2, 0 children/],
  'corrupt-tree-order': [kernel, /block 1 behind block 1 in the tree/],
  'corrupt-block-freed': [kernel, /virtual block \d+: a freed block/],
  'corrupt-block-beyond-end': [places, /block 1099511627776, data are at/],
  'corrupt-block-unknown': [kernel, /virtual block 1099511627776: not in the DAT/],
  'corrupt-block-64-bits': [kernel, /beyond 2\^53/],
  'corrupt-entry-length-zero': [enter('/boot'), /entry of 0 bytes/],
  'corrupt-entry-length-beyond': [enter('/boot'), /entry of 65528 bytes/],
  'corrupt-entry-name': [enter('/boot'), /name of 255/],
  'corrupt-directory-hole': [enter('/boot'), /a hole in block 1/],
  'limit-directory-size': [find('/boot/vmlinuz'), /directory of 1099511627776 bytes/],
  'limit-link-size': [link('/vmlinuz'), /link of 5000 bytes/],
  'corrupt-link-zero': [link('/vmlinuz'), /zero byte/],
});

for (const name of ['1k', 'dirty']) damaged(`nilfs2-${name}`, { rounds: 30 });
