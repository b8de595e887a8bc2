/** LVM groups as GRUB 2.06 reads them: names, and files. */
import t from 'tap';
import { fixtureSets } from '../volume/sets';
import { compare } from './sets';

const { files, sets } = fixtureSets('lvm');

/** Found when the two were compared; the kernel reads all of them as we do. */
const UNREAD: [RegExp, string][] = [
  [/raid0|raid5_|raid6_|raid10/, 'GRUB does not know the name of the segment'],
  [/thin|snapshot/, 'GRUB has neither thin volumes nor snapshots'],
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
