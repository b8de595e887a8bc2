/** Arrays and groups that Debian's kernel makes now, with contents that are new each time (about 30 s): all of it equal. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import t from 'tap';
import { context, ROOT, THOROUGH } from '../support';
import { type FixtureSet, guestOf, parts, sha256Of } from '../volume/sets';
import { must, scratch } from './support';

t.test('made now', { timeout: 300_000, skip: !THOROUGH && 'a minute of emulation, for THOROUGH=1' }, (t) => {
  if (process.getuid?.() !== 0) {
    t.comment('not root: no loop devices in the virtual machine');
    t.end();
    return;
  }
  const dir = scratch(t);
  must('bash', join(ROOT, 'fixtures', 'recipes', 'md-lvm-sweep.sh'), dir);
  const { sets } = JSON.parse(readFileSync(join(dir, 'sweep.json'), 'utf8')) as { sets: FixtureSet[] };
  t.equal(sets.length, 3);
  for (const set of sets) {
    const members = parts(gunzipSync(readFileSync(join(dir, `${set.name}.img.gz`))), set.members);
    const missing = set.level === undefined ? [-1] : members.map((_, i) => i);
    for (const gone of missing) {
      const guest = guestOf(
        members.filter((_, i) => i !== gone),
        context(),
      );
      if (set.volumes)
        for (const [name, { sha256 }] of Object.entries(set.volumes))
          t.equal(sha256Of(guest.device(`lvm/vg--sweep-${name}`)!.source), sha256, `${set.name} ${name}`);
      else
        t.equal(
          sha256Of(guest.device(`md/${set.number}`)!.source),
          set.sha256,
          `${set.name} without ${gone}`,
        );
    }
  }
  t.end();
});
