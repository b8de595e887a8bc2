/** Samples of fixtures/recipes/jfs.sh, and damage. */
// Loaded here, not within the second that the first sample has.
import '../../../fsdrivers/jfs/driver';
import { walk } from '../../../lib/fs/walk';
import { type Act, damaged, enter, find, link, malformedSamples, opened, read } from '../suite';

const kernel = read('/boot/vmlinuz');
/** Where a file's bytes are, all of them. */
const pieces =
  (path: string): Act =>
  (fs) =>
    [...fs.extents(walk(fs, path))].length;
const size: Act = (fs) => walk(fs, '/boot/one').size;

malformedSamples('jfs', {
  'unsupported-version': [opened, /JFS of version 3/],
  'corrupt-size': [opened, /0 blocks of 4096 bytes/],
  'corrupt-root': [opened, /root inode is not a directory/],
  'corrupt-inode-number': [kernel, /inode 2147483647: .*group 524287/],
  'corrupt-freed-inode': [kernel, /a freed inode/],
  'corrupt-another-inode': [kernel, /says that it is 77777/],
  'corrupt-group': [opened, /group 0 says that it is 9/],
  'corrupt-inode-extent': [opened, /an extent of 3 blocks, not 4/],
  'corrupt-inode-extent-place': [opened, /4 blocks at 2147483647/],
  'corrupt-extent-beyond-end': [kernel, /blocks at 2147483647/],
  'corrupt-extent-empty': [kernel, /an extent of no blocks/],
  'unsupported-compressed': [kernel, /compressed extents/],
  'corrupt-extents-flags': [kernel, /flags 0x0/],
  'corrupt-extents-end': [kernel, /ends at entry 19 of 18/],
  'corrupt-extents-backwards': [pieces('/sparse'), /extent at block 0 of the file, after one/],
  'corrupt-extents-page': [pieces('/sparse'), /flags 0x1/],
  'corrupt-extents-page-end': [pieces('/sparse'), /ends at entry 257 of 256/],
  'corrupt-directory-root': [find('/boot'), /root with 9 entries/],
  'corrupt-directory-flags': [find('/boot'), /flags 0x0/],
  'corrupt-directory-page-size': [enter('/many'), /page of 3 blocks/],
  'corrupt-directory-page-place': [enter('/many'), /1 blocks at 2147483647/],
  'corrupt-directory-page-table': [enter('/many'), /listed in slot 127 of 128/],
  'corrupt-directory-page-twice': [enter('/many'), /is met twice/],
  'corrupt-entry-slot': [enter('/many'), /an entry in slot 0 of 128/],
  'corrupt-name-chain': [enter('/many'), /goes on in slot 128 of 128/],
  'corrupt-link-zero': [link('/link100'), /zero byte/],
  'limit-link-size': [link('/link900'), /link of 5000 bytes/],
  'warned-superblock': [size, /primary superblock is damaged/, 1],
  'warned-inode-map': [size, /inode map: .* secondary aggregate inode table is read/, 1],
  'warned-log-superblock': [size, /journal: it has no superblock; it is not replayed/, 1],
  'warned-log-version': [size, /journal: a log of version 2/, 1],
  'warned-log-size': [size, /journal: a log of 1073741824 pages where/, 1],
  'warned-log-place': [size, /journal: .*beyond the end/, 1],
  'warned-log-external': [size, /journal: its device \(UUID [0-]*\) is not among the volumes/, 1],
  'warned-replay-failed': [size, /journal: an earlier replay failed/, 1],
  'warned-extendfs': [size, /journal: it was stopped while it was made larger/, 1],
  'warned-log-record-type': [size, /journal: .*a record of type 0x1234/, 1],
  'warned-log-record-length': [size, /journal: .*a record with 65535 bytes of data/, 1],
  'warned-log-end': [size, /journal: .*not a place of a record/, 1],
});

for (const name of ['plain', 'dirty']) damaged(`jfs-${name}`, { rounds: 60 });
