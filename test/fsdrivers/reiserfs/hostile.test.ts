/** Samples of fixtures/recipes/reiserfs.sh, and damage. */
// Loaded here, not within the second that the first sample has.
import '../../../fsdrivers/reiserfs/driver';
import { walk } from '../../../lib/fs/walk';
import { type Act, damaged, enter, link, malformedSamples, opened, read } from '../suite';

const kernel = read('/boot/vmlinuz');
const boot = enter('/boot');
const size: Act = (fs) => walk(fs, '/boot/one').size;
/** Everything in the top directory, so that each leaf is met. */
const all: Act = (fs) => [...fs.readdir(fs.root)].map((e) => e.node().size);

malformedSamples('reiserfs', {
  'corrupt-block-size': [opened, /blocks of 5000 bytes/],
  'corrupt-root-place': [opened, /root at block 1073741824 of/],
  'corrupt-height': [opened, /a tree of height 99/],
  'corrupt-height-other': [opened, /of level 2, 3 expected/],
  'unsupported-rebuild': [opened, /rebuild-tree was not finished/],
  'warned-state': [size, /marked as damaged/, 1],
  'corrupt-node-level': [boot, /of level 7, 1 expected/],
  'corrupt-node-items': [boot, /4000 items in 4096 bytes/],
  'corrupt-inner-items': [opened, /4000 items in 4096 bytes/],
  'corrupt-child-place': [opened, /block 1073741824: there are/],
  'corrupt-child-loop': [opened, /of level 2, 1 expected/],
  'corrupt-child-twice': [all, /keys that do not grow|no stat data/],
  'corrupt-item-place': [boot, /bytes at 5000/],
  'corrupt-item-length': [boot, /item \d+ of 5000 bytes/],
  'corrupt-entries': [boot, /3000 entries in an item/],
  'corrupt-entry-place': [boot, /a name at 60000/],
  'corrupt-entry-object': [kernel, /it has no stat data/],
  'corrupt-stat-length': [kernel, /stat data of 20 bytes/],
  'corrupt-root-kind': [opened, /root is not a directory/],
  'corrupt-block-place': [kernel, /block 1073741824 of/],
  'corrupt-indirect-length': [kernel, /an indirect item of 21 bytes/],
  'corrupt-link-zero': [link('/link100'), /zero byte/],
  'corrupt-link-size': [link('/link100'), /zero byte/],
  'limit-link-size': [link('/link900'), /link of 5000 bytes/],
  'warned-journal-size': [size, /journal: a journal of 1048576 blocks/, 1],
  'warned-journal-place': [size, /journal: .*beyond the end/, 1],
  'warned-journal-block-beyond': [size, /journal: transaction \d+ holds block 1048576/, 1],
  'warned-journal-block-inside': [size, /journal: transaction \d+ holds block/, 1],
  'warned-journal-elsewhere': [size, /journal: its device \(number 0x1234567\) is not among the volumes/, 1],
});

for (const name of ['36', '35', 'dirty']) damaged(`reiserfs-${name}`, { rounds: 60 });
