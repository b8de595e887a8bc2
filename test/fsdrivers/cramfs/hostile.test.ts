/** Samples of fixtures/recipes/cramfs.sh, and damage. */
// Before the clocks run.
import '../../../fsdrivers/cramfs/driver';
import { damaged, enter, link, malformedSamples, opened, read } from '../suite';

const kernel = read('/boot/vmlinuz');
const one = read('/boot/one');

malformedSamples('cramfs', {
  'unsupported-feature': [opened, /features 0x1000/],
  'corrupt-signature': [opened, /the signature is wrong/],
  'warned-signature': [one, /marked the signature as wrong/, 'x'],
  'warned-checksum': [one, /checksum of the image is wrong/, 'x'],
  'warned-size': [one, /filesystem of \d+ bytes on a volume of 20480/, 'x'],
  'corrupt-size': [opened, /a filesystem of 50 bytes/],
  'corrupt-cut-by-size': [kernel, /lie beyond the filesystem/],
  'corrupt-root': [opened, /root is not a directory/],
  'corrupt-root-beyond': [enter('/'), /lie beyond the filesystem/],
  'corrupt-directory-beyond': [enter('/boot'), /lie beyond the filesystem/],
  'corrupt-directory-size': [enter('/boot'), /an entry at \d+ of \d+ bytes/],
  'corrupt-entry-name-empty': [kernel, /name of 0/],
  'corrupt-entry-name-beyond': [kernel, /name of 252/],
  'corrupt-block-before-its-start': [kernel, /block 0 of -1 bytes/],
  'corrupt-block-beyond-end': [kernel, /block 14 of \d+ bytes at \d+/],
  'corrupt-block-large': [kernel, /block 1 of 8193 bytes/],
  'corrupt-block-garbage': [kernel, /zlib/],
  'corrupt-block-short': [kernel, /gives 4095 bytes instead of 4096/],
  'corrupt-block-long': [kernel, /more than 4096 bytes/],
  'corrupt-file-beyond-end': [kernel, /block 0 of -20532 bytes/],
  'limit-link-size': [link('/link900'), /link of 5000 bytes/],
  'corrupt-link-zero': [link('/link900'), /zero byte/],
  'corrupt-pointer-beyond-end': [kernel, /block 2 of 4096 bytes at 4294967292/],
  'corrupt-packed-pointer-beyond-end': [kernel, /2 bytes at 94208 lie beyond/],
  'corrupt-pointed-length': [kernel, /block 1 of 65535 bytes/],
  'corrupt-stored-length': [kernel, /block 4 of 4095 bytes instead of 4096/],
});

for (const name of ['1', '2', 'be', 'shifted', 'pointers']) damaged(`cramfs-${name}`, { rounds: 60 });
