/** md arrays as GRUB 2.06 reads them: names, and files. */
import t from 'tap';
import { fixtureSets } from '../volume/sets';
import { compare } from './sets';

const { files, sets } = fixtureSets('md');

/** Found when the two were compared; the kernel reads all of them as we do. */
const UNREAD: [RegExp, string][] = [
  [/linear/, 'GRUB does not know linear arrays'],
  [
    /raid5-parity|raid6-(?!left-symmetric$|right-)|raid6-right-.*-6/,
    'GRUB takes it for another layout, and reads garbage',
  ],
];

t.test('as GRUB reads them', (t) => {
  compare(
    t,
    sets,
    Object.keys(files).slice(0, 2),
    (set) => UNREAD.find(([name]) => name.test(set.name))?.[1],
  );
  t.end();
});
