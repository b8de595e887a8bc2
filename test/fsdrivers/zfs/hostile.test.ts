/** Samples of fixtures/recipes/zfs.sh, and damage. */
// Loading it is not what is measured.
import '../../../fsdrivers/zfs/driver';
import '../../../lib/bytes/decompress/inflate';
import '../../../lib/bytes/decompress/lz4';
import '../../../lib/bytes/decompress/zstd';
import { damaged, enter, find, link, malformedSamples, opened, read } from '../suite';

const kernel = read('/boot/vmlinuz');
const name = find('/many/name-of-file-number-7');

malformedSamples('zfs', {
  'unsupported-version': [opened, /pool version 29/],
  'unsupported-uberblock-version': [opened, /txg \d+: pool version 6000/],
  'unsupported-destroyed': [opened, /pool 'tank' was destroyed/],
  'unsupported-label-feature': [opened, /zfs_member: pool features Com.delphix:embedded_data/],
  'unsupported-feature': [opened, /txg \d+: pool features Org.illumos:lz4_compress/],
  'unsupported-vdev': [opened, /vdev 0: vdev of type 'fish'/],
  'warned-label-checksum': [kernel, /checksums of the labels are wrong/],
  'corrupt-uberblocks': [opened, /no uberblock with a right checksum/],
  'corrupt-root-pointer': [opened, /MOS: an object set at level 1/],
  'corrupt-levels': [opened, /object set: 0 levels of blocks/],
  'corrupt-indirect-size': [kernel, /indirect blocks of 2\^60 bytes/],
  'corrupt-block-size': [opened, /object set: blocks of 0 bytes/],
  'corrupt-bonus': [opened, /1 block pointers and 4000 bytes in a dnode of 512/],
  'corrupt-object-directory': [opened, /object directory: not a ZAP/],
  'corrupt-configuration': [opened, /a configuration of 1099511627776 bytes/],
  'corrupt-configuration-list': [opened, /configuration: a pair of 2147483647 bytes/],
  'corrupt-dataset': [find('/@/boot'), /dataset '@': object 1 is no dataset/],
  'unsupported-encryption': [find('/@/boot'), /dataset '@': an encrypted dataset/],
  'unsupported-dataset-type': [find('/@/boot'), /dataset '@': a dataset that is a volume/],
  'corrupt-freed-object': [kernel, /object \d+: a freed object/],
  'corrupt-no-bonus': [kernel, /attributes in 4 bytes/],
  'unsupported-bonus': [kernel, /a bonus of type 60/],
  'corrupt-object-number': [kernel, /object 2147483647: block 67108863 is not there/],
  'corrupt-attributes': [kernel, /attributes begin with 0x05000000/],
  'corrupt-layout': [kernel, /layout 999 of attributes is not there/],
  'corrupt-lengths': [link('/vmlinuz'), /attributes without their lengths/],
  'corrupt-length': [link('/vmlinuz'), /ZPL_SYMLINK reaches beyond/],
  'limit-link-size': [link('/link900'), /link of 5000 bytes, maximum 4096/],
  'corrupt-link-zero': [link('/vmlinuz'), /zero byte/],
  'corrupt-level': [kernel, /a block of level 3 and 131072 bytes where level 1 belongs/],
  'corrupt-place-beyond': [kernel, /no copy can be read/],
  'corrupt-vdev-missing': [kernel, /vdev 77 is missing/],
  'corrupt-stored-size': [kernel, /a block of 33554432 bytes/],
  'unsupported-compression': [kernel, /compression 40/],
  'corrupt-gang': [kernel, /no gang header with a right checksum/],
  'corrupt-data': [kernel, /block 0:\d+: no copy of 1 has the right checksum/],
  'corrupt-packed': [kernel, /zlib: /],
  'corrupt-configuration-size': [opened, /its size in \d+ bytes/],
  'corrupt-number': [opened, /bytes where a number is/],
  'corrupt-embedded': [read('/boot/embedded'), /an embedded block of 128 bytes/],
  'unsupported-embedded': [read('/boot/embedded'), /redacted data/],
  'corrupt-zap-kind': [name, /not a ZAP/],
  'corrupt-zap-magic': [name, /not a ZAP/],
  'corrupt-zap-table': [name, /2\^27 pointers in a ZAP's table of 0 blocks/],
  'corrupt-zap-pointer': [name, /block 9999 is not there/],
  'corrupt-leaf': [name, /block \d+ is not a ZAP leaf/],
  'corrupt-leaf-prefix': [name, /a ZAP leaf for 60 bits of 2\^10/],
  'corrupt-zap-cycle': [name, /a cycle of ZAP entries/],
  'corrupt-zap-chunk': [enter('/many'), /chunk 60000 of 638/],
  'corrupt-zap-value': [enter('/many'), /chunk 60000 of 638/],
  'corrupt-micro-name': [kernel, /whose name does not end/],
  'corrupt-no-root': [find('/@/boot'), /a dataset without a root directory/],
  'corrupt-root-kind': [find('/@/boot'), /the root is not a directory/],
});

for (const image of ['plain', 'open', 'big']) damaged(`zfs-${image}`, { rounds: 30 });
