/** Samples of fixtures/recipes/f2fs.sh, and damage. */
// So that no sample's time is that of loading them.
import '../../../fsdrivers/f2fs/driver';
import '../../../lib/bytes/decompress/zstd';
import { readWhole } from '../../../lib/fs/file';
import { walk } from '../../../lib/fs/walk';
import { type Act, damaged, enter, find, link, malformedSamples, opened, read } from '../suite';

const kernel = read('/boot/vmlinuz');
/** Where a file's bytes are, all of them. */
const places: Act = (fs) => [...fs.extents(walk(fs, '/boot/vmlinuz'))].length;
const packed: Act = (fs, ctx) => readWhole(fs, walk(fs, '/lz4-2/vmlinuz'), 1 << 22, ctx).length;

malformedSamples('f2fs', {
  'unsupported-block-size': [opened, /blocks of 2\^14 bytes/],
  'unsupported-feature': [opened, /feature bit 25/],
  'unsupported-devices': [opened, /several devices/],
  'corrupt-segments': [opened, /4294967294 segments of node addresses/],
  'corrupt-areas': [opened, /nodes at 16777215/],
  'corrupt-root': [opened, /node 2147483647 of/],
  'warned-superblock-checksum': [read('/boot/one'), /checksum of the superblock/, 'x'],
  'warned-superblock-first': [read('/boot/one'), /first superblock is damaged/, 'x'],
  'corrupt-checkpoints': [opened, /no checkpoint that is whole: the checksum/],
  'corrupt-checkpoint-count': [opened, /no checkpoint that is whole/],
  'corrupt-node-number': [kernel, /says it is 99999/],
  'corrupt-not-an-inode': [kernel, /no inode/],
  'corrupt-extra-size': [kernel, /4000 bytes of extra attributes/],
  'warned-inode-checksum': [read('/boot/one'), /checksum of inode \d+/, 'x'],
  'corrupt-inline-size': [read('/boot/one'), /5000 bytes in an inode with room for 3488/],
  'unsupported-encrypted': [read('/boot/one'), /encrypted file \(f2fs feature encrypt\)/],
  'corrupt-block-outside': [kernel, /block 5 outside of/],
  'corrupt-block-beyond-end': [kernel, /block 2147483632 outside of/],
  'corrupt-file-size': [places, /more than a file can have/],
  'corrupt-node-of-another': [places, /node 3 at place 1 says it is at 0 of 3/],
  'corrupt-node-cycle': [places, /at place 3 says it is at 0 of/],
  'corrupt-compressed-mark': [kernel, /block 2 is compressed, the file is not/],
  'limit-link-size': [link('/long-link'), /link of 5000 bytes/],
  'corrupt-name-length': [enter('/some'), /name of 5000 bytes/],
  'corrupt-entry-inode': [find('/some/file-1'), /node 2147483647 of/],
  'corrupt-cluster-size': [packed, /clusters of 2\^60 blocks/],
  'unsupported-compression': [packed, /f2fs compression 77/],
  'corrupt-packed-size': [packed, /cluster at 0: 2147483647 packed bytes in \d blocks/],
  'corrupt-packed-bytes': [packed, /cluster at 0: lz4/],
  'corrupt-packed-short': [packed, /cluster at 0: (lz4|\d+ bytes instead)/],
  'corrupt-mark-inside': [packed, /a mark inside a cluster, block 2/],
  'warned-packed-checksum': [read('/zstd-4/vmlinuz'), /checksum of a compressed cluster/],
  // What has not been recovered is as the checkpoint left it.
  'warned-log-circle': [read('/d/short'), /cannot be recovered \(their chain is a circle/, 'hello'],
  'warned-log-name': [read('/d/short'), /cannot be recovered \(inode \d+: name of 5000 bytes/, 'hello'],
  'warned-log-inode': [read('/d/short'), /cannot be recovered \(node 2147483647 of/, 'hello'],
  'corrupt-log-block': [read('/d/new2'), /block 3 outside of/],
});

damaged('f2fs-linux', { rounds: 14 });
damaged('f2fs-packed', { rounds: 8 });
