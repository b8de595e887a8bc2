/** LVM2: every group of fixtures/recipes/lvm.sh, whole, in any order, with PVs missing and behind. */
import t from 'tap';
import { context } from '../../support';
import { type FixtureSet, filesOn, fixtureSets, guestOf, membersOf, orders, sha256Of } from '../sets';

const { files, sets } = fixtureSets('lvm');
const paths = Object.keys(files);
const named = (name: string): FixtureSet => sets.find((s) => s.name === `lvm-${name}`)!;
const double = (text: string) => text.replaceAll('-', '--');
const device = (set: FixtureSet, volume: string) =>
  `lvm/vg--${double(set.name.slice('lvm-'.length))}-${double(volume)}`;

/** What is said of them, besides. */
const SAID: Record<string, RegExp> = {
  'lvm-older': /a copy of the metadata is older \(\d+, the newest is \d+\)/,
  'lvm-writeback': /the cache is in writeback mode and is not read/,
};

t.test('whole groups', (t) => {
  t.ok(sets.length >= 26);
  for (const set of sets) {
    const ctx = context();
    const guest = guestOf(membersOf(set), ctx);
    for (const [name, { size, sha256 }] of Object.entries(set.volumes!)) {
      const volume = guest.device(device(set, name));
      t.ok(volume, `${set.name} ${name} is there`);
      if (!volume) continue;
      t.equal(volume.source.size, size, `${set.name} ${name}: size`);
      t.equal(sha256Of(volume.source), sha256, `${set.name} ${name}: all of it`);
      t.equal(sha256Of(volume.source, 5000), sha256, `${set.name} ${name}: in small pieces`);
      t.equal(guest.device(`(${set.ids![name]})`)?.name, volume.name, `${set.name} ${name}: by its UUIDs`);
      if (name === 'root' && set.name !== 'lvm-snapshot' && set.name !== 'lvm-thin')
        t.same(filesOn(volume.filesystem()!, paths), files, `${set.name}: its files`);
    }
    const said = SAID[set.name];
    if (said) t.match(ctx.warnings.join('\n'), said, set.name);
    else t.same(ctx.warnings, [], set.name);
    t.same(
      guest.disks
        .filter((d) => d.name.startsWith('lvm/'))
        .map((d) => d.name)
        .sort(),
      Object.keys(set.volumes!)
        .map((name) => device(set, name))
        .sort(),
      `${set.name}: these and no others`,
    );
  }
  t.end();
});

/** How many images may be missing, whichever they are. */
const spares = (set: FixtureSet): number =>
  /raid6/.test(set.name) ? 2 : /raid[45]|raid10|raid1$|mirror/.test(set.name) ? 1 : 0;

t.test('physical volumes missing, in any order', (t) => {
  for (const set of sets.filter(
    (s) => s.volumes!.root && s.members.length > 1 && !/cache|writeback|older|on-md|snap|thin/.test(s.name),
  )) {
    const members = membersOf(set);
    const n = members.length;
    for (const order of orders(n, 6))
      t.equal(
        sha256Of(
          guestOf(
            order.map((i) => members[i]!),
            context(),
          ).device(device(set, 'root'))!.source,
        ),
        set.volumes!.root!.sha256,
        `${set.name} ${order}`,
      );
    for (let missing = 1; missing < (1 << n) - 1; missing++) {
      const left = members.filter((_, i) => (missing & (1 << i)) === 0);
      const gone = n - left.length;
      if (gone > spares(set) + 1) continue;
      const ctx = context();
      const volume = guestOf(left.reverse(), ctx).device(device(set, 'root'))!;
      const what = `${set.name} without ${missing.toString(2)}`;
      t.match(ctx.warnings.join('\n'), /its physical volume \S+ is missing/, what);
      if (gone <= spares(set)) t.equal(sha256Of(volume.source), set.volumes!.root!.sha256, what);
      else {
        try {
          const sum = sha256Of(volume.source);
          t.ok(/raid10/.test(set.name) && sum === set.volumes!.root!.sha256, `${what} has luck`);
        } catch (error) {
          t.match(error, { name: 'GuestError', code: 'unsupported', message: /missing/ }, what);
        }
      }
    }
  }
  // The part that is there can be read, where the layout allows it.
  const span = named('span');
  const volume = guestOf(membersOf(span).slice(0, 1), context()).device(device(span, 'root'))!;
  t.equal(volume.filesystem()?.uuid, '6e6f6465-6772-7562-6d64-6c766d303031');
  t.end();
});

t.test('upon each other', (t) => {
  const table = named('table');
  t.same(
    filesOn(
      guestOf(membersOf(table), context())
        .device(`${device(table, 'disk')},msdos1`)!
        .filesystem()!,
      paths,
    ),
    files,
    'a table in a volume',
  );
  const array = named('on-md');
  for (const some of [[0], [1], [1, 0]]) {
    const members = membersOf(array);
    const guest = guestOf(
      some.map((i) => members[i]!),
      context(),
    );
    t.equal(
      sha256Of(guest.device(device(array, 'root'))!.source),
      array.volumes!.root!.sha256,
      `on an array of ${some}`,
    );
  }
  t.end();
});

t.test('snapshots come after what they were made of', (t) => {
  for (const name of ['snapshot', 'thin']) {
    const set = named(name);
    const guest = guestOf(membersOf(set), context());
    guest.assemble();
    t.same(
      guest.disks.map((d) => d.name).filter((n) => n.startsWith('lvm/')),
      [device(set, 'root'), device(set, 'snap')],
    );
    t.same(
      filesOn(guest.device(device(set, 'snap'))!.filesystem()!, paths),
      files,
      `${name}: what was there before`,
    );
    t.ok(filesOn(guest.device(device(set, 'root'))!.filesystem()!, ['/etc/new'])['/etc/new']);
  }
  t.end();
});
