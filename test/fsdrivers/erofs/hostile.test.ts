/** Samples of fixtures/recipes/erofs.sh, and damage. */
// A sample's second is not for compiling what reads it.
import '../../../fsdrivers/erofs/filesystem';
import '../../../lib/bytes/decompress/lz4';
import '../../../lib/bytes/decompress/lzma';
import '../../../lib/bytes/decompress/zstd';
import { walk } from '../../../lib/fs/walk';
import { type Act, damaged, enter, find, link, malformedSamples, opened, read } from '../suite';

const kernel = read('/boot/vmlinuz');
const tail = read('/boot/size20001');
/** Where a file's bytes are, all of them. */
const places: Act = (fs) => [...fs.extents(walk(fs, '/boot/vmlinuz'))].length;

malformedSamples('erofs', {
  'warned-checksum': [opened, /checksum of the superblock at 1024 is wrong/],
  'corrupt-block-size': [opened, /blocks of 2\^20 bytes/],
  'unsupported-feature': [opened, /incompatible features 0x200/],
  'unsupported-directory-blocks': [opened, /directory blocks of 2\^1 blocks/],
  'corrupt-root-kind': [opened, /root is not a directory/],
  'corrupt-root-beyond': [opened, /inode 65535 .*beyond the end/],
  'unsupported-inode-format': [kernel, /inode format 0x20/],
  'unsupported-data-layout': [kernel, /data layout 6/],
  'corrupt-mode': [kernel, /mode 030644/],
  'corrupt-block-beyond': [kernel, /beyond the end/],
  'corrupt-tail': [read('/boot/size1024'), /tail that crosses a block/],
  'corrupt-attributes': [kernel, /beyond the end/],
  'corrupt-names-at': [enter('/boot'), /directory block 0: names at 13 of/],
  'corrupt-name-empty': [enter('/boot'), /name of 0 bytes/],
  'corrupt-name-place': [enter('/boot'), /name of -\d+ bytes/],
  'corrupt-file-type': [kernel, /file type 9/],
  'corrupt-inode-number': [kernel, /inode 1099511627776 .*beyond the end/],
  'corrupt-inode-number-huge': [kernel, /lies beyond every disk/],
  'corrupt-no-metabox': [kernel, /and no metabox/],
  'corrupt-cycle': [enter('/boot/grub'), /lies inside itself/],
  'corrupt-link-zero': [link('/vmlinuz'), /zero byte/],
  'limit-link-size': [link('/vmlinuz'), /link of 5000 bytes/],
  'corrupt-directory-size': [enter('/boot'), /directory block \d+/],
  'corrupt-packed-missing': [kernel, /no packed inode/],
  'unsupported-chunk-format': [kernel, /chunk format 0x80/],
  'corrupt-chunk-beyond': [kernel, /beyond the end/],
  'corrupt-device': [kernel, /device 3 of 2/],
  'unsupported-device': [kernel, /extra device 1 \(layer-2\)/],
  'unsupported-device-address': [kernel, /data on an extra device/],
  'unsupported-algorithm': [kernel, /compression algorithm 7/],
  'corrupt-big': [kernel, /one of two algorithms/],
  'unsupported-cluster-size': [kernel, /clusters of 2\^27 bytes/],
  'unsupported-short-indexes': [kernel, /2-byte indexes of clusters of 2\^13/],
  'corrupt-compact-block': [kernel, /beyond the end/],
  'corrupt-compact-head': [kernel, /clusters back to its head/],
  'corrupt-compact-distance': [kernel, /clusters back to its head/],
  'corrupt-head-offset': [kernel, /cluster 0 begins at 4096 of 4096/],
  'corrupt-head-block': [kernel, /beyond the end/],
  'corrupt-no-head': [kernel, /cluster 0: 0 clusters back/],
  'corrupt-block-count': [kernel, /counts blocks where no cluster is big/],
  'corrupt-plain-length': [kernel, /bytes in a cluster of 4096/],
  'corrupt-file-size': [places, /beyond the end/],
  'corrupt-file-size-64': [kernel, /beyond 2\^53/],
  'corrupt-no-packed': [tail, /no packed inode/],
  'corrupt-packed-beyond': [tail, /beyond/],
  'corrupt-packed-size': [tail, /a fragment of \d+ bytes at \d+ of 1$/],
  'corrupt-fragment-place': [tail, /a fragment of \d+ bytes at 2147483647/],
  'corrupt-packed-fragment': [tail, /the packed inode has a fragment/],
  'corrupt-tail-size': [tail, /65535 bytes of inline data/],
  'unsupported-interlaced-tail': [read('/boot/noise'), /interlaced data behind the indexes/],
  'corrupt-extent-order': [kernel, /extent 2 begins at 100, not behind 20000/],
  'corrupt-extent-beyond': [kernel, /extent 0 ends at 1073741824/],
  'corrupt-extent-stored': [kernel, /physical cluster of 2097151 bytes/],
  'corrupt-extent-place': [kernel, /beyond the end/],
  'corrupt-extent-place-64': [kernel, /beyond 2\^53/],
  'corrupt-extent-plain': [kernel, /bytes in a cluster of 100/],
  'corrupt-extent-data': [kernel, /zstd/],
  'corrupt-metabox-in-itself': [kernel, /metabox inside itself/],
  'corrupt-metabox-slot': [kernel, /too small for its number/],
  'corrupt-metabox-loop': [find('/boot/vmlinuz'), /needed to read itself/],
});

for (const name of ['plain', 'chunks', 'lz4', 'big', 'legacy', 'fragments', 'sums'])
  damaged(`erofs-${name}`, { rounds: 40 });
// Their algorithms take longer.
for (const name of ['lzma', 'zstd', 'metabox']) damaged(`erofs-${name}`, { rounds: 16 });
