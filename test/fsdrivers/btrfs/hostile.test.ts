/** Samples of fixtures/recipes/btrfs.sh, and damage. */
import { damaged, enter, find, link, malformedSamples, opened, read } from '../suite';

const kernel = read('/boot/vmlinuz');
const top = enter('/');

malformedSamples('btrfs', {
  'corrupt-node-size': [opened, /node size 5000/],
  'corrupt-sector-size': [opened, /sector size 3/],
  'unsupported-feature': [opened, /feature extent-tree-v2/],
  'unsupported-feature-bit': [opened, /feature incompat bit 50/],
  'unsupported-metadump': [opened, /dump of metadata/],
  'unsupported-checksum': [opened, /checksums of kind 9/],
  'corrupt-system-array': [opened, /system chunk array of 5000 bytes/],
  'corrupt-system-chunk': [opened, /no chunk at byte 0/],
  'corrupt-stripes': [opened, /0 stripes/],
  'corrupt-profile': [opened, /type 0x1a/],
  'corrupt-root-level': [opened, /root tree of level 9/],
  'corrupt-root-beyond': [opened, /no chunk holds the address 35184372088832/],
  'warned-superblock-checksum': [opened, /superblock at 65536: wrong checksum/],
  'corrupt-item-place': [top, /item 0 lies at 4294967280/],
  'corrupt-item-order': [top, /item 1 is out of order/],
  'corrupt-block-number': [top, /it says that it is 4096/],
  'corrupt-block-count': [top, /60000 items/],
  'corrupt-block-generation': [top, /generation 1 instead of \d+/],
  'corrupt-block-owner': [top, /belongs to another filesystem/],
  'corrupt-block-level': [top, /level 3 instead of 0|out of order/],
  'corrupt-root-item': [opened, /level 9/],
  'corrupt-chunk-length': [opened, /chunk \d+: 0 bytes long/],
  'warned-block-checksum': [opened, /tree block \d+: wrong checksum/],
  'corrupt-name-length': [enter('/boot'), /name of 5000 bytes/],
  'corrupt-entry-kind': [find('/boot/one'), /item of kind 77/],
  'corrupt-entry-inode': [find('/boot/one'), /name without an inode/],
  'corrupt-extent-type': [kernel, /extent type 9/],
  'unsupported-encryption': [kernel, /encryption 1/],
  'unsupported-compression': [kernel, /compression 7/],
  'corrupt-extent-place': [kernel, /no chunk holds the address 17592186044416/],
  'corrupt-extent-offset': [kernel, /bytes at 1099511627776 of an extent/],
  'corrupt-extent-length': [kernel, /extent of 0 bytes/],
  'corrupt-extent-unpacked': [kernel, /for 1073741824, at most/],
  'corrupt-data': [kernel, /data at \d+: wrong checksum/],
  'corrupt-inline-size': [read('/boot/one'), /inline extent of \d+ bytes for 1073741824/],
  'limit-link-size': [link('/long-link'), /link of 5000 bytes/],
});

for (const name of ['packed', 'log']) damaged(`btrfs-${name}`, { rounds: 40 });
damaged('btrfs-plain', { rounds: 16 });
