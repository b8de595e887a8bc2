/** Samples of fixtures/recipes/hfsplus.sh, and damage. */
import { walk } from '../../../lib/fs/walk';
import { type Act, damaged, enter, find, link, malformedSamples, opened, read } from '../suite';
// Loaded before the clock runs.
import '../../../fsdrivers/hfsplus/driver';

const one = read('/boot/one');
const places: Act = (fs) => [...fs.extents(walk(fs, '/boot/one'))].length;

malformedSamples('hfsplus', {
  'warned-header': [one, /blocks of 5000 bytes; its copy at the end is used/, 'x'],
  'corrupt-headers': [opened, /blocks of 5000 bytes/],
  'corrupt-total': [opened, /0 blocks of 4096 bytes/],
  'unsupported-version': [opened, /HFS\+ version 6/],
  'corrupt-catalog-extent': [opened, /catalog file › file 4: \d+ blocks at 2147483647 of/],
  'corrupt-catalog-size': [opened, /catalog file › file 4: extents of \d+ bytes, the file has 1099511627776/],
  'corrupt-header-node': [opened, /no header node/],
  'corrupt-node-size': [opened, /nodes of 4095 bytes/],
  'corrupt-nodes': [opened, /2147483647 nodes of 4096 bytes/],
  'corrupt-depth': [opened, /depth 99/],
  'corrupt-root-number': [opened, /node 2147483647 of/],
  'corrupt-root-height': [opened, /root of height 77/],
  'corrupt-child-height': [opened, /node \d+ of height 1 below one of 3/],
  'corrupt-node-kind': [opened, /of kind 5/],
  'corrupt-records': [opened, /of 60000 records/],
  'corrupt-record-offset': [opened, /record 0 from 3 to/],
  'corrupt-key-length': [opened, /record 0 with a key of 9999 bytes/],
  'corrupt-child-number': [opened, /node 16777215 of/],
  'corrupt-root-folder': [opened, /root directory: it is none/],
  'corrupt-leaf-loop': [enter('/many'), /leaves follow themselves/],
  'corrupt-name-length': [enter('/boot'), /name of 4000 characters/],
  'corrupt-record-kind': [enter('/boot'), /record of kind 9/],
  'corrupt-extent': [one, /1 blocks at 2147483647 of|blocks at 2147483647/],
  'corrupt-extents-too-few': [places, /the file has 1099511627776/],
  'unsupported-compressed': [one, /compressed \(decmpfs\)/],
  'corrupt-hard-link': [find('/hardlink'), /hard link to 'iNode99999', which is not there/],
  'corrupt-overflow': [read('/first'), /extents of \d+ bytes, the file has 720000/],
  'limit-link-size': [link('/umlaut'), /link of 5000 bytes/],
  'corrupt-link-zero': [link('/umlaut'), /zero byte/],
  'corrupt-wrapper': [opened, /HFS wrapper: embedded at byte \d+, beyond the end/],
});

for (const name of ['plus', 'x', 'wrapped', 'xorriso']) damaged(`hfsplus-${name}`, { rounds: 30 });
