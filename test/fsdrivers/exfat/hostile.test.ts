/** Samples of fixtures/recipes/exfat.sh, and damage. */
// Loaded here, not in the time of the first sample.
import '../../../fsdrivers/exfat/driver';
import { walk } from '../../../lib/fs/walk';
import { type Act, damaged, enter, malformedSamples, opened, read } from '../suite';

const kernel = read('/boot/vmlinuz');
const pieces = read('/pieces');
/** By its name in capitals: 1, found; 0, not. */
const capitals =
  (path: string): Act =>
  (fs) => {
    walk(fs, '/boot');
    return fs.lookup(fs.root, path) ? 1 : 0;
  };
const bootNames: Act = (fs) => [...fs.readdir(walk(fs, '/boot'))].map((e) => e.name).includes('vmlinuz');

malformedSamples('exfat', {
  'unsupported-revision': [opened, /exFAT revision 2\.00/],
  'corrupt-must-be-zero': [opened, /not that of an exFAT/],
  'corrupt-signature': [opened, /not that of an exFAT/],
  'corrupt-sector-shift': [opened, /sectors of 2\^3 bytes/],
  'corrupt-cluster-shift': [opened, /clusters of 2\^17 sectors/],
  'corrupt-fats': [opened, /3 FATs/],
  'corrupt-no-clusters': [opened, /0 clusters/],
  'corrupt-fat-length': [opened, /a FAT of 3 sectors/],
  'corrupt-fat-offset': [opened, /FATs at sector 1,/],
  'corrupt-heap-beyond-end': [opened, /clusters at 2147483647/],
  'corrupt-volume-length': [opened, /of 100$/],
  'corrupt-root-cluster': [enter('/'), /starts to cluster 2147483647/],
  'corrupt-root-loop': [enter('/'), /loops at/],
  'corrupt-chain-loop': [pieces, /chain from \d+ loops at \d+/],
  'corrupt-chain-short': [pieces, /chain ends after 26112 bytes of 60000/],
  'corrupt-chain-free': [pieces, /leads to cluster 0/],
  'corrupt-chain-bad': [pieces, /leads to cluster 4294967287/],
  'corrupt-chain-beyond': [pieces, /leads to cluster 74565/],
  'corrupt-run-beyond': [kernel, /196 clusters from 2000 on lead to cluster 2195/],
  'corrupt-first-cluster': [kernel, /starts to cluster 1/],
  'corrupt-valid-length': [kernel, /100001 valid bytes of a file of 100000/],
  'corrupt-huge-length': [kernel, /beyond 2\^53/],
  'corrupt-directory-size': [kernel, /directory \d+: 1099511627776 bytes/],
  'warned-boot-both': [kernel, /wrong checksum, and there is no sound backup/],
  'warned-set-checksum': [bootNames, /entry at \d+ of directory \d+ \(vmlinuz\): wrong checksum/, true],
  'warned-set-short': [bootNames, /broken entry set/, false],
  'warned-set-count-zero': [bootNames, /broken entry set/, false],
  'warned-stream-missing': [bootNames, /without its stream and name/, false],
  'warned-name-length': [bootNames, /without its stream and name/, false],
  'warned-critical': [bootNames, /unknown type 0x86/, false],
  'warned-secondary': [bootNames, /without its stream and name/, false],
  'warned-upcase-checksum': [capitals('GR\xc3\x96\xc3\x9fE'), /up-case table: wrong checksum/, 1],
  'warned-upcase-length': [capitals('GR\xc3\x96\xc3\x9fE'), /up-case table of 1099511627776 bytes/, 0],
  'warned-upcase-missing': [capitals('BOOT'), /no entry in the root directory/, 1],
  'warned-upcase-cluster': [capitals('PIECES'), /starts to cluster 0/, 1],
});

for (const name of ['512', '4096']) damaged(`exfat-${name}`, { rounds: 50 });
