/** Samples of fixtures/recipes/cpio.sh, and damage. */
// Before the clocks run.
import '../../../fsdrivers/cpio/driver';
import { type Act, damaged, link, malformedSamples, read } from '../suite';

/** Names of the top directory. */
const names: Act = (fs) => [...fs.readdir(fs.root)].map((e) => e.name);

malformedSamples('cpio', {
  'corrupt-file-beyond-end': [read('/file'), /member at 120: 5000 bytes at \d+ reach beyond the end/],
  'warned-magic': [names, /what follows at 120 is compressed, or no cpio archive/, ['one']],
  'warned-digits': [names, /member at 120: byte 0x78 in a number; what follows is not seen/, ['one']],
  'warned-name-empty': [names, /member at 120: a name of 0 bytes/, ['one']],
  'warned-name-without-end': [names, /member at 120: a name of 4 bytes without its end/, ['one']],
  'warned-name-beyond-end': [names, /member at 120: .*beyond the end/, ['one']],
  'warned-name-long': [names, /member at 120 is left out: its name is longer/, ['one', 'last']],
  'warned-no-trailer': [names, /ends without a trailer/, ['one', 'last']],
  'warned-sum': [read('/summed'), /summed: the sum of its bytes is 0x247, not 0x248/, 'sum me'],
  'warned-compressed': [read('/last'), /what follows at \d+ is compressed/, 'the last'],
  'warned-parent': [names, /\.\.\/out is left out: '\.\.' in its path/, ['one', 'last']],
  'warned-no-name': [names, /\. is left out: no name/, ['one', 'last']],
  'warned-below-a-file': [read('/one'), /one\/below is left out: .* is not a directory/, 'x'],
  'warned-over-a-directory': [read('/d/file'), /d is left out: a directory that has members/, 'file'],
  'warned-links-in-a-circle': [names, /a\/file is left out/, ['one', 'a', 'b', 'last']],
  'warned-many-left-out': [names, /further members are left out, and not told/, ['one', 'last']],
  'limit-link-size': [link('/link'), /link of 5000 bytes/],
  'corrupt-link-zero': [link('/link'), /zero byte/],
});

for (const name of ['newc', 'crc', 'odc', 'binary', 'binary-be', 'several'])
  damaged(`cpio-${name}`, { rounds: 50 });
