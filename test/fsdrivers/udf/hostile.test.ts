/** Samples of fixtures/recipes/udf.sh, and damage. */
import { walk } from '../../../lib/fs/walk';
import { type Act, damaged, enter, find, link, malformedSamples, opened, read } from '../suite';

// Loaded before the clock runs.
import '../../../fsdrivers/iso9660/driver';
import '../../../fsdrivers/udf/driver';

const kernel = read('/boot/vmlinuz');
const one = read('/boot/one');
/** Where a file's bytes are, all of them. */
const places: Act = (fs) => [...fs.extents(walk(fs, '/boot/vmlinuz'))].length;
const size: Act = (fs) => walk(fs, '/boot/vmlinuz').size;

malformedSamples('udf', {
  'corrupt-sequences': [opened, /no logical volume descriptor/],
  'corrupt-tag-checksums': [opened, /sector 35: tag checksum/],
  'warned-main-sequence': [size, /tag checksum .*; those at sector 48 are used/, 150_000],
  'unsupported-revision': [opened, /UDF revision 3\.00/],
  'unsupported-block-size': [opened, /blocks of 4096 bytes in sectors of 2048/],
  'corrupt-maps-none': [opened, /0 partition maps/],
  'corrupt-maps-length': [opened, /partition maps of 100000 bytes/],
  'corrupt-map-length': [opened, /partition map 0 of 5 bytes/],
  'unsupported-map-kind': [opened, /partition map of kind 3/],
  'unsupported-map': [opened, /partition map '\*UDF Future'/],
  'corrupt-partition-missing': [opened, /no descriptor of partition 9/],
  'corrupt-file-set': [opened, /no file set descriptor/],
  'corrupt-root-kind': [opened, /root directory: it is none/],
  'corrupt-root-partition': [opened, /partition 4 of 1/],
  'warned-tag-checksum': [size, /tag checksum 0x/, 150_000],
  'warned-crc': [size, /CRC 0x[0-9a-f]+ does not fit/, 150_000],
  'warned-location': [size, /the tag's location is 7/, 150_000],
  'warned-identifier-crc': [one, /file identifier in ICB 0:\d+: CRC/, 'x'],
  'warned-name-kind': [enter('/boot'), /a name of kind 9, which is left out/],
  'corrupt-form': [kernel, /descriptors of form 5/],
  'unsupported-strategy': [kernel, /ICB strategy 77/],
  'corrupt-entry-tag': [kernel, /tag 263 where a file entry/],
  'corrupt-attributes-length': [kernel, /2147483647 bytes of attributes/],
  'corrupt-descriptors-length': [kernel, /5000 of allocation descriptors/],
  'corrupt-embedded-size': [read('/boot/size336'), /70000 bytes, 336 of them/],
  'corrupt-block-beyond-partition': [kernel, /block 268435455 of a partition of/],
  'corrupt-extents-too-few': [places, /the file has 1099511627776/],
  'corrupt-continuation-loop': [kernel, /follow themselves/],
  'corrupt-continuation-tag': [kernel, /no allocation extent descriptor/],
  'corrupt-continuation-length': [kernel, /allocation extent descriptor 0:\d+ of 3024 bytes/],
  'corrupt-continuation-place': [kernel, /block 268435455 of a partition of/],
  'corrupt-identifier-tag': [enter('/many'), /tag 258 where a file identifier/],
  'corrupt-directory-hole': [enter('/many'), /a hole at byte 0/],
  'corrupt-directory-end': [enter('/many'), /at the end are no file identifier/],
  'limit-directory-size': [find('/many/name-of-file-number-7'), /directory of 1099511627776 bytes/],
  'corrupt-link-kind': [link('/vmlinuz'), /component of kind 9/],
  'corrupt-link-length': [link('/vmlinuz'), /does not fit/],
  'corrupt-link-text': [link('/vmlinuz'), /component without a name/],
  'corrupt-icb-length': [one, /an ICB of 0 bytes/],
  'corrupt-icb-partition': [one, /partition 1 of 1/],
  'corrupt-icb-place': [one, /block 268435455 of a partition of/],
  'unsupported-transformed': [read('/boot/one'), /transformed file/],
  'corrupt-vat-missing': [opened, /no virtual allocation table in the last 512 blocks/],
  'corrupt-vat-header': [opened, /header of 20 bytes/],
  'corrupt-virtual-unused': [opened, /virtual block 0 of \d+: nothing is there/],
  'corrupt-virtual-beyond': [opened, /block 16777215 of a partition/],
  'limit-vat-size': [opened, /1073741824 bytes, maximum 16777216/],
  'corrupt-sparing-tables': [opened, /no sparing table/],
  'warned-sparing-table': [kernel, /sparing table at sector 284: it is none/],
  'corrupt-packet': [opened, /packets of 0 blocks/],
  'warned-metadata-file': [kernel, /metadata file › ICB 0:\d+: tag 0 .*; its mirror is used/],
  'corrupt-metadata-files': [opened, /metadata mirror file/],
  'corrupt-metadata-hole': [opened, /metadata block 0: nothing is there/],
  'corrupt-indirect-loop': [kernel, /more than 1024 indirect entries/],
});

for (const name of ['disk', 'vat20', 'sparable', 'metadata', 'forms']) damaged(`udf-${name}`, { rounds: 25 });
damaged('udf-bridge', { rounds: 12 });
