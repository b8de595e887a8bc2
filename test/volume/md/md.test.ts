/** Linux' software RAID: every array of fixtures/recipes/md.sh, whole, in any order, with members missing and stale. */
import t from 'tap';
import { Bootloader } from '../../../lib/bootloader';
import { failureLines } from '../../../lib/diagnostics';
import { MemorySource } from '../../../lib/source/types';
import { context } from '../../support';
import { type FixtureSet, filesOn, fixtureSets, guestOf, membersOf, orders, sha256Of } from '../sets';

const { files, sets } = fixtureSets('md');
const paths = Object.keys(files);
const named = (name: string): FixtureSet => sets.find((s) => s.name === name)!;
const alias = (set: FixtureSet) => `mduuid/6e6f646567727562${set.number!.toString(16).padStart(16, '0')}`;

/** How many members may be missing, whichever they are. */
const spares = (set: FixtureSet): number =>
  ({
    '1': set.members.length - 1,
    '4': 1,
    '5': 1,
    '6': 2,
    '10': Number(/[nfo](\d)$/.exec(set.name)?.[1] ?? 1) - 1,
  })[set.level!] ?? 0;

const whole = sets.filter((s) => s.level !== 'container' && !/stale|spare|partitioned/.test(s.name));

t.test('whole arrays', (t) => {
  t.ok(whole.length >= 30);
  for (const set of whole) {
    const ctx = context();
    const guest = guestOf(membersOf(set), ctx);
    const volume = guest.device(alias(set));
    t.ok(volume, `${set.name} is there`);
    if (!volume) continue;
    t.equal(volume.source.size, set.size, `${set.name}: size`);
    t.equal(sha256Of(volume.source), set.sha256, `${set.name}: all of it`);
    t.equal(sha256Of(volume.source, 5000), set.sha256, `${set.name}: in small pieces`);
    t.same(filesOn(volume.filesystem()!, paths), files, `${set.name}: its files`);
    t.equal(volume.name, set.metadata === '0.90' ? `md/md${set.number}` : `md/${set.number}`);
    t.same(ctx.warnings, [], set.name);
  }
  t.end();
});

t.test('members missing, in any order', (t) => {
  for (const set of whole) {
    const members = membersOf(set);
    const n = members.length;
    for (let missing = 0; missing < 1 << n; missing++) {
      const left = members.filter((_, i) => (missing & (1 << i)) === 0);
      const gone = n - left.length;
      if (gone === 0 || left.length === 0 || gone > spares(set) + 1) continue;
      const ctx = context();
      const guest = guestOf(left.reverse(), ctx);
      const volume = guest.device(alias(set))!;
      if (gone <= spares(set)) {
        t.equal(sha256Of(volume.source), set.sha256, `${set.name} without ${missing.toString(2)}`);
        t.match(ctx.warnings.join('\n'), new RegExp(`${n - gone} of ${n} members are used, missing`));
      } else {
        // RAID 10 may have luck.
        try {
          const sum = sha256Of(volume.source);
          t.ok(
            set.level === '10' && sum === set.sha256,
            `${set.name} without ${missing.toString(2)} has luck`,
          );
        } catch (error) {
          t.match(
            error,
            { name: 'GuestError', code: 'unsupported', message: /missing/ },
            `${set.name} without ${missing.toString(2)}`,
          );
        }
      }
    }
  }
  for (const name of ['md-12-raid5-left-symmetric', 'md-12-raid10-n2', 'md-12-linear', 'md-10-raid1'])
    for (const order of orders(named(name).members.length)) {
      const members = membersOf(named(name));
      const volume = guestOf(
        order.map((i) => members[i]!),
        context(),
      ).device(alias(named(name)))!;
      t.equal(sha256Of(volume.source), named(name).sha256, `${name} ${order}`);
    }
  t.end();
});

t.test('a member that was left behind', (t) => {
  for (const set of sets.filter((s) => /stale/.test(s.name))) {
    for (const order of orders(set.members.length)) {
      const members = membersOf(set);
      const ctx = context();
      const guest = guestOf(
        order.map((i) => members[i]!),
        ctx,
      );
      const volume = guest.device(alias(set))!;
      t.equal(sha256Of(volume.source), set.sha256, `${set.name} ${order}`);
      t.match(ctx.warnings.join('\n'), /hd\d is left out: its event count is \d+, the array's \d+/);
      if (set.level !== '1') continue;
      // Whatever disk a configuration names: it shows what the array holds.
      for (const disk of guest.disks.filter((d) => d.name.startsWith('hd'))) {
        const fs = disk.whole.filesystem();
        if (set.metadata === '1.2') t.equal(fs, undefined);
        else t.ok(filesOn(fs!, ['/etc/new'])['/etc/new'], `${set.name} ${disk.name}`);
      }
    }
    const [stale] = membersOf(set);
    const alone = guestOf([stale!], context()).device(alias(set))!;
    if (set.level === '1') t.same(filesOn(alone.filesystem()!, paths), files, 'alone it is what it was');
  }
  t.end();
});

t.test('spares, tables, foreign', (t) => {
  const spare = named('md-12-spare');
  const guest = guestOf(membersOf(spare), context());
  t.equal(sha256Of(guest.device('md/root')!.source), spare.sha256);
  const table = named('md-12-partitioned');
  const inside = guestOf(membersOf(table), context());
  t.same(filesOn(inside.device(`md/${table.number},1`)!.filesystem()!, paths), files);
  t.same(inside.device(`(${alias(table)},msdos1)`)?.name, `md/${table.number},msdos1`);
  for (const [name, words] of [
    ['md-ddf', /hd0: holds a RAID with DDF metadata, which is not read/],
    ['md-imsm', /RAID with IMSM/],
  ] as const) {
    const ctx = context();
    const guest = guestOf(membersOf(named(name)), ctx);
    t.throws(() => guest.disks[0]!.whole.filesystem(), { name: 'GuestError', code: 'unsupported' }, name);
    t.match(ctx.warnings.join('\n'), words);
  }
  t.end();
});

t.test('names that cannot be names', (t) => {
  for (const [name, shown] of [
    ['box:../a,b)', 'md/6e6f6465677275620000000000000004'],
    ['', 'md/6e6f6465677275620000000000000004'],
    ['box:good', 'md/good'],
    ['\x1b[2J', 'md/6e6f6465677275620000000000000004'],
  ]) {
    const disks = membersOf(named('md-12-raid1')).map((m) => Buffer.from(m));
    for (const disk of disks) disk.fill(0, 4096 + 32, 4096 + 64).write(name!, 4096 + 32, 'latin1');
    t.equal(guestOf(disks, context()).device(alias(named('md-12-raid1')))?.name, shown);
  }
  // Two arrays of one name.
  const other = membersOf(named('md-11-raid1')).map((m) => Buffer.from(m));
  for (const disk of other) disk.fill(0, 32, 64).write('box:4', 32, 'latin1');
  const guest = guestOf([...membersOf(named('md-12-raid1')), ...other], context());
  guest.assemble();
  t.same(
    guest.disks.map((d) => d.name).filter((n) => n.startsWith('md/')),
    ['md/4', 'md/4_1'],
  );
  t.end();
});

t.test('dynamic disks of Windows', (t) => {
  const disk = Buffer.alloc(1 << 20);
  disk[446 + 4] = 0x42;
  disk.writeUInt32LE(64, 446 + 8);
  disk.writeUInt32LE(1984, 446 + 12);
  disk.writeUInt16LE(0xaa55, 510);
  const ctx = context();
  const guest = guestOf([disk], ctx);
  guest.assemble();
  t.match(ctx.warnings, ['hd0,msdos1: holds a Windows dynamic disk (LDM), which is not read']);
  t.throws(() => guest.device('hd0,msdos1')!.filesystem(), { code: 'unsupported' });
  t.end();
});

t.test('in partitions', (t) => {
  // The table is put down here; the partition ends where the disk does, and so does the superblock of both.
  const disks = (name: string) =>
    membersOf(named(name)).map((member) => {
      const table = Buffer.alloc(65536);
      table[446 + 4] = 0xfd;
      table.writeUInt32LE(128, 446 + 8);
      table.writeUInt32LE(member.length / 512, 446 + 12);
      table.writeUInt16LE(0xaa55, 510);
      return Buffer.concat([table, member]);
    });
  for (const name of ['md-090-raid1', 'md-10-raid1', 'md-10-stale-raid1', 'md-12-raid1']) {
    for (const some of [[0, 1], [1, 0], [1]]) {
      const all = disks(name);
      const ctx = context();
      const guest = guestOf(
        some.map((i) => all[i]!),
        ctx,
      );
      // Nobody has named an array: the partition's type says enough.
      const fs = guest.device('hd0,msdos1')!.filesystem();
      t.same(
        guest.disks.filter((d) => d.name.startsWith('md/')).map((d) => d.alias),
        [alias(named(name))],
        `${name}: one array`,
      );
      t.equal(sha256Of(guest.device(alias(named(name)))!.source), named(name).sha256, name);
      if (name === 'md-12-raid1') t.equal(fs, undefined);
      else t.equal(fs!.uuid, '6e6f6465-6772-7562-6d64-6c766d303031');
      if (/stale/.test(name)) t.ok(filesOn(fs!, ['/etc/new']), 'from either disk what the array holds');
      if (some.length === 1) t.match(ctx.warnings.join(), /1 of 2 members are used, missing: 0/);
    }
  }
  t.end();
});

t.test('the other byte order of 0.90', (t) => {
  for (const name of ['md-090-raid1', 'md-090-raid5', 'md-090-stale-raid1']) {
    const set = named(name);
    const members = membersOf(set).map((m) => {
      const at = Math.floor(m.length / 65536) * 65536 - 65536;
      const copy = Buffer.from(m);
      copy.subarray(at, at + 4096).swap32();
      // Events: the high half comes first there.
      for (const word of [39, 41]) {
        const low = Buffer.from(copy.subarray(at + word * 4, at + word * 4 + 4));
        copy.copyWithin(at + word * 4, at + word * 4 + 4, at + word * 4 + 8);
        low.copy(copy, at + word * 4 + 4);
      }
      return copy;
    });
    const ctx = context();
    t.equal(sha256Of(guestOf(members, ctx).device(alias(set))!.source), set.sha256, name);
    t.notMatch(ctx.warnings.join('\n'), /checksum/);
  }
  t.end();
});

t.test('the reason in the last line', async (t) => {
  const disk = Buffer.alloc(1 << 20);
  disk[446 + 4] = 0x42;
  disk.writeUInt32LE(64, 446 + 8);
  disk.writeUInt32LE(1984, 446 + 12);
  disk.writeUInt16LE(0xaa55, 510);
  const loader = new Bootloader({
    disks: [new MemorySource(disk, 'disk')],
    quiet: true,
    say: () => {},
  });
  t.equal(loader.decide(undefined), undefined);
  t.equal(
    failureLines('ldm.img', loader.diagnostics).at(-1),
    'RuntimeError: ldm.img does not boot: msdos1: a Windows dynamic disk (LDM), which is not read',
  );
});
