/** Samples of fixtures/recipes/squashfs-malformed.sh, and damage. */
import { walk } from '../../../lib/fs/walk';
import { image } from '../../support';
import { type Act, damaged, enter, find, link, malformedSamples, opened, read } from '../suite';

const n = 'n'.repeat(240);
/** Where a file's bytes are, all of them. */
const places =
  (path: string): Act =>
  (fs) =>
    [...fs.extents(walk(fs, path))].length;

malformedSamples('squashfs', {
  'unsupported-version-3': [opened, /squashfs3: squashfs version 3\.1/],
  'unsupported-minor': [opened, /version 4\.1/],
  'unsupported-big-endian': [opened, /version 3\.0/],
  'unsupported-compressor': [opened, /compressor 7/],
  'unsupported-lz4-format': [opened, /LZ4 format 2/],
  'corrupt-block-size': [opened, /block size 5000/],
  'corrupt-block-log': [opened, /logarithm 30/],
  'corrupt-root-outside': [opened, /beyond the filesystem/],
  'corrupt-root-offset': [opened, /offset 9000/],
  'corrupt-root-is-a-file': [opened, /root is not a directory/],
  'corrupt-inode-table-huge': [opened, /beyond/],
  'warned-end-missing': [read('/dir/small'), /the end is missing/, 'contents'],
  'corrupt-inode-type': [find('/file'), /inode type 15/],
  'corrupt-link-size': [link('/link'), /zero byte/],
  'limit-link-size': [link('/link'), /link of 5000/],
  'corrupt-file-size': [places('/file'), /block size field/],
  'corrupt-block-field': [read('/file'), /block size field 0x2000010/],
  'corrupt-block-larger': [read('/file'), /block size field 0x1388/],
  'corrupt-block-elsewhere': [read('/file'), /beyond the filesystem/],
  'corrupt-stored-block-short': [read('/file'), /100 bytes instead of 4096/],
  'corrupt-packed-short': [read('/file'), /bytes instead of|come out|block at/],
  'corrupt-fragment-number': [read('/dir/small'), /fragment 55 of/],
  'corrupt-fragment-offset': [read('/dir/small'), /at 4000 of a fragment block/],
  'corrupt-fragment-table': [read('/dir/small'), /beyond the filesystem/],
  'corrupt-fragment-elsewhere': [read('/dir/small'), /beyond the filesystem/],
  'corrupt-loop': [enter('/dir/inner'), /lies inside itself/],
  'corrupt-header-count': [enter('/dir'), /257 entries/],
  'corrupt-name-size': [enter('/dir'), /name of 301/],
  'corrupt-listing-size': [enter('/dir'), /ends inside an entry/],
  'corrupt-listing-elsewhere': [enter('/dir'), /beyond the filesystem/],
  'corrupt-index-beyond': [find(`/many/${n}-149`), /index of byte 4294901760/],
  'corrupt-index-name': [find(`/many/${n}-149`), /name of 70001/],
  'corrupt-metadata-packed': [opened, /metadata block at \d+: zlib/],
  'corrupt-metadata-size': [opened, /8193 bytes/],
});

/** Superblock and all tables; in an image whose metadata is not packed the damage goes further in. */
function metadata(name: string): [number, number][] {
  const bytes = image(`${name}.img`);
  return [
    [0, 110],
    [Number(bytes.readBigUInt64LE(64)), bytes.length],
  ];
}

damaged('squashfs-stored', { places: metadata('squashfs-stored'), rounds: 100 });
damaged('squashfs-gzip', { places: metadata('squashfs-gzip'), rounds: 100 });
for (const name of ['lzo-4k', 'lz4', 'xz-bcj', 'zstd-1m', 'lzma'])
  damaged(`squashfs-${name}`, { rounds: 30 });
