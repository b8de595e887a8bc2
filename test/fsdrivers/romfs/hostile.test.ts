/** Samples of fixtures/recipes/romfs.sh, and damage. */
// Before the clocks run.
import '../../../fsdrivers/romfs/driver';
import { walk } from '../../../lib/fs/walk';
import { type Act, damaged, enter, find, link, malformedSamples, opened, read } from '../suite';

const kernel = read('/boot/vmlinuz');
/** Where a file's bytes are, all of them. */
const places: Act = (fs) => [...fs.extents(walk(fs, '/boot/vmlinuz'))].length;
const one = read('/boot/one');

malformedSamples('romfs', {
  'warned-superblock-sum': [one, /checksum of the superblock is wrong/, 'x'],
  'warned-header-sum': [one, /checksum of one's header at \d+ is wrong/, 'x'],
  'warned-size': [one, /filesystem of \d+ bytes on a volume of/, 'x'],
  'corrupt-size': [opened, /a filesystem of 40 bytes/],
  'corrupt-cut-by-size': [kernel, /outside the filesystem \(500 bytes\)/],
  'corrupt-name-beyond-end': [enter('/boot'), /a name that reaches beyond/],
  'limit-name': [enter('/boot'), /a name of more than 4096 bytes/],
  'corrupt-root': [opened, /root is not a directory/],
  'corrupt-next-itself': [one, /go round in a circle/],
  'corrupt-next-before': [enter('/boot'), /go round in a circle/],
  'corrupt-next-beyond-end': [enter('/boot'), /file header at 2147483632: outside the filesystem/],
  'corrupt-next-in-superblock': [enter('/boot'), /file header at 16: outside the filesystem/],
  'corrupt-hard-link-to-itself': [find('/hardlink'), /more than 8 hard links/],
  'corrupt-hard-link-beyond-end': [find('/hardlink'), /file header at 4294967280: outside/],
  'corrupt-directory-beyond-end': [enter('/boot'), /file header at 2147483632: outside/],
  'corrupt-file-size': [places, /4294967295 bytes/],
  'limit-link-size': [link('/link900'), /link of 5000 bytes/],
  'corrupt-link-zero': [link('/link900'), /zero byte/],
});

for (const name of ['plain', 'aligned']) damaged(`romfs-${name}`, { rounds: 120 });
