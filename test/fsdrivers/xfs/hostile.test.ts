/** Samples of fixtures/recipes/xfs.sh, and damage. */
import { checksums } from '../../../lib/bytes/checksum';
import { walk } from '../../../lib/fs/walk';
import { image } from '../../support';
import { type Act, damaged, enter, find, link, malformedSamples, opened, read } from '../suite';

const kernel = read('/boot/vmlinuz');
const one: Act = read('/boot/one');
/** A few names of a directory that is found all the same. */
const name =
  (path: string): Act =>
  (fs) =>
    typeof walk(fs, path).id;

malformedSamples('xfs', {
  'unsupported-feature': [opened, /feature bit 15/],
  'unsupported-version': [opened, /XFS version 3/],
  'warned-superblock-checksum': [one, /checksum of the XFS superblock/, 'x'],
  'warned-needs-repair': [one, /needs repair/, 'x'],
  'corrupt-block-size': [opened, /block size 5000/],
  'corrupt-inode-size': [opened, /inode size 128/],
  'corrupt-sector-size': [opened, /sector size 13/],
  'corrupt-blocks': [opened, /1099511627776 blocks in/],
  'corrupt-directory-block-size': [opened, /directory blocks of 2\^9/],
  'corrupt-root': [opened, /beyond the filesystem/],
  'corrupt-root-is-a-file': [opened, /root inode is not a directory/],
  'corrupt-inode-magic': [kernel, /inode magic 0x0/],
  'corrupt-inode-of-another': [kernel, /says it is 5/],
  'corrupt-freed-inode': [kernel, /a freed inode/],
  'warned-inode-checksum': [one, /checksum of inode \d+ does not match/, 'x'],
  'corrupt-attribute-fork': [kernel, /attribute fork at 1776/],
  'corrupt-extent-count': [kernel, /1000 extents in a fork/],
  'corrupt-extent-beyond-end': [kernel, /2097136 blocks at|1048560 blocks at|131056 blocks at/],
  'corrupt-extent-outside': [kernel, /beyond the filesystem/],
  'corrupt-extent-empty': [kernel, /extent of 0 blocks/],
  'corrupt-extent-overlap': [read('/few'), /blocks at 0, after 1/],
  'corrupt-format': [kernel, /data fork of format 4/],
  'unsupported-realtime': [kernel, /realtime device/],
  'corrupt-tree-level': [read('/pieces'), /level 0 in block \d+, 1 expected/],
  'corrupt-tree-deep': [read('/pieces'), /tree of 200 levels/],
  'corrupt-tree-pointer': [read('/pieces'), /beyond the filesystem/],
  'corrupt-tree-magic': [read('/pieces'), /magic 0x0/],
  'corrupt-tree-count': [read('/pieces'), /5000 records/],
  'corrupt-tree-cycle': [read('/pieces'), /level 2 in block \d+, 1 expected/],
  'corrupt-short-entry': [enter('/boot'), /entry 0 of \d+ does not fit/],
  'corrupt-short-count': [enter('/boot'), /of 250 does not fit/],
  'corrupt-entry-name': [enter('/some'), /does not fit/],
  'corrupt-directory-magic': [enter('/some'), /directory magic 0x0/],
  'corrupt-entry-inode': [enter('/some'), /beyond the filesystem/],
  'corrupt-free-space': [enter('/some'), /free space of 4 bytes/],
  'warned-hash-count': [
    name('/some/a-name-of-twenty-7'),
    /60000 hashes.*reading the whole directory/,
    'number',
  ],
  'warned-hash-magic': [name('/some/a-name-of-twenty-7'), /hash block magic 0x0/, 'number'],
  'warned-hash-tree-cycle': [name('/many/name-of-file-number-7'), /more than 5 levels/, 'number'],
  'corrupt-link-size': [link('/long-link'), /link of 1500 bytes/],
  'corrupt-link-zero': [link('/vmlinuz'), /zero byte/],
  'corrupt-link-magic': [link('/long-link'), /link magic 0x0/],
  'warned-log-torn': [find('/'), /does not match; the log ends there/],
  'warned-log-format': [find('/'), /log of format 2.*as it stands/],
  'warned-log-tail': [find('/'), /log tail 2147483647/],
  'warned-log-of-another': [find('/'), /of another filesystem/],
  'warned-log-place': [find('/'), /cannot be replayed/],
});

/** Right checksums in the log's records: damage is then met behind them. */
function resealed(bytes: Buffer): void {
  const sums = checksums();
  for (let at = 0; at + 1024 <= bytes.length; at += 512) {
    if (bytes.readUInt32BE(at) !== 0xfeedbabe) continue;
    const length = bytes.readUInt32BE(at + 12);
    if (length === 0 || length > 32768 || at + 512 + length > bytes.length) continue;
    bytes.writeUInt32LE(0, at + 32);
    let crc = sums.crc32c(0xffffffff, bytes, at, at + 328);
    crc = sums.crc32c(crc, bytes, at + 512, at + 512 + length);
    bytes.writeUInt32LE(~crc >>> 0, at + 32);
  }
}

/** Where the records of the dirty image are. */
function records(): [number, number][] {
  const bytes = image('xfs-dirty.img');
  const found: [number, number][] = [];
  for (let at = 0; at + 512 <= bytes.length; at += 512) {
    const length = bytes.readUInt32BE(at) === 0xfeedbabe ? bytes.readUInt32BE(at + 12) : 0;
    if (length > 0) found.push([at, at + 512 + length]);
  }
  return found;
}

damaged('xfs-dirty', { rounds: 120, places: records(), repair: resealed, seed: 5 });
damaged('xfs-v5', { rounds: 80 });
damaged('xfs-dirty', { rounds: 80 });
damaged('xfs-v4', { rounds: 40 });
