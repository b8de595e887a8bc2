/** Samples of fixtures/recipes/ntfs.sh, and damage. */
// Loaded here, not in the time of the first sample.
import '../../../fsdrivers/ntfs/driver';
import { walk } from '../../../lib/fs/walk';
import { type Act, damaged, enter, find, link, malformedSamples, opened, read } from '../suite';

const kernel = read('/boot/vmlinuz');
const mixed = read('/packed/mixed');
const unit = read('/packed/unit');
const drive = link('/windows/drive');
const many = enter('/many');
/** A file is what a reparse point with another tag leaves. */
const tagged = read('/windows/drive');
const size =
  (path: string): Act =>
  (fs) =>
    walk(fs, path).size;

malformedSamples('ntfs', {
  'corrupt-boot-cluster': [opened, /clusters of 3 sectors of 512 bytes/],
  'corrupt-boot-end': [opened, /without 0xaa55/],
  'corrupt-boot-mft': [opened, /\$MFT at cluster 1099511627776/],
  'corrupt-boot-record': [opened, /MFT records of 12288 bytes/],
  'warned-boot-copy': [kernel, /clusters of 3 sectors.*; the copy at the volume's end is used/],
  'warned-mirror': [kernel, /MFT record 0: .*; its copy in \$MFTMirr is used/],
  'corrupt-mirror': [opened, /MFT record 0: '.*' where a record begins with 'FILE'/],
  'corrupt-record-magic': [kernel, /'BAAD' where a record begins/],
  'corrupt-update-sequence': [kernel, /piece 1 of the record is of another time/],
  'corrupt-update-sequence-place': [kernel, /update sequence array of 3 numbers at 509/],
  'corrupt-freed': [kernel, /a freed record/],
  'corrupt-sequence': [kernel, /sequence number 77, \d+ is wanted/],
  'corrupt-bytes-in-use': [kernel, /of 5000 bytes in use/],
  'corrupt-base': [kernel, /a part of another file/],
  'corrupt-root': [opened, /root is not a directory/],
  'corrupt-attribute-length': [kernel, /attribute 0x80 of 0 bytes/],
  'corrupt-attribute-beyond': [kernel, /attribute 0x80 of 1048576 bytes/],
  'corrupt-data-size': [kernel, /beyond 2\^53/],
  'corrupt-mapping-pairs': [kernel, /runs end after 0 bytes of 200000/],
  'corrupt-runs-of-another-cluster': [mixed, /runs of cluster 9 where 0 is next/],
  'corrupt-runs-short': [
    (fs) => [...fs.extents(walk(fs, '/boot/vmlinuz'))],
    /runs end after 200704 bytes of 10000000/,
  ],
  'corrupt-run-head': [kernel, /mapping pair 0x99/],
  'corrupt-run-none': [kernel, /a run of 0 clusters/],
  'corrupt-run-beyond': [kernel, /a run of 49 clusters at \d+ of 1535/],
  'unsupported-encrypted': [kernel, /encrypted file \(EFS\)/],
  'unsupported-method': [mixed, /compression by method 2/],
  'corrupt-unit': [mixed, /in units of 1048576 clusters/],
  'corrupt-unit-none': [mixed, /in units of 0 clusters/],
  'corrupt-no-standard': [kernel, /no standard information/],
  'corrupt-value': [find('/boot/one'), /attribute 0x10: 5000 bytes/],
  'corrupt-lznt1-distance': [unit, /LZNT1 match 1 bytes back at byte 0/],
  'corrupt-lznt1-long': [unit, /LZNT1 piece of more than 4096 bytes/],
  'corrupt-lznt1-token': [unit, /LZNT1 match is cut off/],
  'unsupported-wof': [tagged, /compression by WOF \(CompactOS\) \(reparse tag 0x80000017\)/],
  'unsupported-dedup': [tagged, /data deduplication/],
  'unsupported-cloud': [tagged, /cloud files/],
  'unsupported-tag': [tagged, /a program of Windows \(reparse tag 0x12345\)/],
  'unsupported-share': [drive, /share of the network/],
  'corrupt-link-length': [drive, /link target of 28672 bytes/],
  'corrupt-reparse-length': [drive, /reparse point of 28672 bytes/],
  'corrupt-link-zero': [link('/links/absolute'), /zero byte/],
  'corrupt-index-type': [many, /index of attribute 0x80/],
  'corrupt-index-rule': [many, /by rule 2/],
  'corrupt-index-block-size': [many, /index blocks of 100 bytes/],
  'corrupt-index-length': [many, /5000 bytes of index in a node/],
  'corrupt-index-entry': [many, /index entry of 1 bytes/],
  'corrupt-index-child': [many, /index block 9999: beyond/],
  'warned-index-child': [
    size('/many/name-of-file-number-1'),
    /index block 9999: .*; reading the whole directory/,
    0,
  ],
  'corrupt-index-magic': [many, /'XXXX' where a record begins with 'INDX'/],
  'corrupt-index-number': [many, /it says that it is block 3/],
  'corrupt-index-twice': [many, /is in it twice/],
  'corrupt-list-entry': [find('/boot/one'), /entry of 0 bytes at 0 of the attribute list/],
  'corrupt-list-part': [read('/boot/one'), /not a part of MFT record/],
  'unsupported-version': [opened, /NTFS version 2\.1/],
  'warned-dirty': [kernel, /marked as dirty/],
  'warned-upcase': [kernel, /\$UpCase: .*table of 1099511627776 bytes/],
  'warned-hibernated': [kernel, /hibernates/],
  'warned-log': [kernel, /\$LogFile is not replayed/],
});

for (const name of ['plain', 'pieces']) damaged(`ntfs-${name}`, { rounds: 30 });
