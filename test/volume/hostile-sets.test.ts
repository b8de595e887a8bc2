/** Arrays and volume groups made to hurt (fixtures/malformed/lvm-patches.json, md-patches.json), and bytes changed at random. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { GuestError } from '../../lib/bytes/errors';
import { context, ROOT } from '../support';
import { fixtureSets, guestOf, membersOf, parts } from './sets';

interface Patch {
  readonly image: string;
  readonly changes: readonly [number, string][];
}

const all = { lvm: fixtureSets('lvm').sets, md: fixtureSets('md').sets };

/** What is said of each: warnings, and errors of every volume that is there. */
const SAMPLES: Record<string, RegExp> = {
  'lvm-corrupt-on-itself': /root: the volume lies on itself/,
  'lvm-corrupt-extents-beyond-pv': /4294967295|segment of|bytes at \d+ of the physical volume pv0/,
  'lvm-corrupt-extents-huge': /a segment of 999999999999999 extents at 0/,
  'lvm-corrupt-extents-none': /a segment of 0 extents/,
  'lvm-corrupt-gap': /a segment of 64 extents at 5, the one before ends at 0/,
  'lvm-corrupt-no-device': /there is no logical volume 'pv9'/,
  'lvm-corrupt-extent-size': /extents of 0 bytes/,
  'lvm-corrupt-place-negative': /a list of places that makes no sense/,
  'lvm-corrupt-stripes': /2.5 stripes for 4194304 bytes/,
  'lvm-corrupt-stripe-size': /stripes of \d+ bytes|no number 'stripe_size'/,
  'lvm-corrupt-group-name': /the name '\.\.\/linear'/,
  'lvm-corrupt-stack-deep': /more than 12 volumes upon each other/,
  'lvm-corrupt-thin-loop': /a tree of more than 10 levels/,
  'lvm-corrupt-thin-beyond': /node 1099511627776 lies beyond the metadata/,
  'lvm-corrupt-thin-count': /2147483648 of \d+ entries/,
  'lvm-corrupt-thin-room': /1073741824 of 2147483648 entries/,
  'lvm-corrupt-thin-block': /thin pool with blocks of 512 bytes/,
  'lvm-corrupt-thin-empty': /it knows no device 1/,
  'lvm-unsupported-thin-version': /thin pool with metadata of version 9/,
  'lvm-unsupported-snapshot-full': /the snapshot is invalid: its store was full/,
  'lvm-corrupt-snapshot-chunk': /snapshot with chunks of 1536 bytes/,
  'lvm-corrupt-snapshot-chunk-beyond': /chunk 1125899906842624 lies beyond its store/,
  'lvm-unsupported-vdo': /a segment of type 'vdo'/,
  'lvm-syntax-does-not-end': /LVM metadata: metadata at byte \d+: /,
  'lvm-syntax-list-does-not-end': /metadata at byte \d+: a list that does not end/,
  'lvm-syntax-lists-deep': /more than 12 levels/,
  'lvm-syntax-sections-deep': /more than 12 levels/,
  'lvm-syntax-garbage': /metadata at byte 0: '/,
  'lvm-limit-volumes': /257 logical volumes and arrays|logical volumes and arrays.*256/,
  'lvm-limit-fan': /images are missing|members are missing|errors/,
  'lvm-warned-text-sum': /LVM metadata with a wrong checksum, left out/,
  'lvm-warned-header-sum': /LVM metadata header with a wrong checksum, used as it stands/,
  'lvm-warned-text-outside': /bytes of text at 1099511627776/,
  'lvm-warned-text-size': /1099511627776 bytes of text/,
  'lvm-warned-text-in-header': /bytes of text at 8 of/,
  'lvm-warned-label-offset': /LVM label with its header at byte 500/,
  'lvm-warned-areas-without-end': /PV header whose list of areas does not end/,
  'md-corrupt-chunk-none': /raid5 with chunks of 0 bytes/,
  'md-corrupt-chunk-huge': /raid5 with chunks of 2199023255040 bytes/,
  'md-corrupt-data-size': /no member has any data/,
  'md-unsupported-level': /md level 77/,
  'md-unsupported-layout': /raid5 with layout 99/,
  'md-unsupported-reshape': /the array is being reshaped/,
  'md-warned-no-members': /md superblock 1.2: 0 members/,
  'md-warned-members-huge': /md superblock 1.2: 4294967295 members/,
  'md-warned-roles-huge': /md superblock 1.2: 4294967295 roles, maximum 1920/,
  'md-warned-data-beyond': /data at byte 5764607523034\d+ of/,
  'md-warned-sum': /md superblock 1.2 with a wrong checksum/,
  'md-warned-size-huge': /end beyond the volume/,
  'md-corrupt-raid10-no-copies': /raid10 with layout 0x0 over 3 members/,
  'md-corrupt-raid10-copies': /raid10 with layout 0x505 over 3 members/,
  'md-unsupported-raid10-sets': /raid10 with layout 0x60102/,
  'md-unsupported-raid0-layout': /raid6 with layout 77/,
};

/** All that is said, and how much work it was. */
function look(disks: readonly Buffer[], steps: number): { said: string; volumes: number } {
  const ctx = context(steps);
  const said: string[] = [];
  const attempt = (act: () => void) => {
    try {
      act();
    } catch (error) {
      if (!(error instanceof GuestError)) throw error;
      said.push(error.describe());
    }
  };
  const guest = guestOf(disks, ctx);
  attempt(() => guest.assemble());
  const made = guest.disks.filter((d) => /^(lvm|md)\//.test(d.name));
  for (const disk of made) {
    for (const volume of [disk.whole, ...disk.partitions]) attempt(() => volume.filesystem());
    const buffer = Buffer.alloc(4096);
    const { source } = disk.whole;
    for (const at of [0, Math.floor(source.size / 2), source.size - 4096])
      if (at >= 0) attempt(() => source.read(at, buffer));
  }
  return { said: [...ctx.warnings, ...said].join('\n'), volumes: made.length };
}

t.test('samples', (t) => {
  const found: string[] = [];
  for (const kind of ['lvm', 'md'] as const) {
    const patches: Record<string, Patch> = JSON.parse(
      readFileSync(join(ROOT, 'fixtures', 'malformed', `${kind}-patches.json`), 'utf8'),
    );
    for (const [name, { image, changes }] of Object.entries(patches)) {
      found.push(`${kind}-${name}`);
      const members = membersOf(all[kind].find((s) => s.name === image)!);
      const whole = Buffer.concat(members);
      for (const [at, bytes] of changes) Buffer.from(bytes, 'hex').copy(whole, at);
      const began = process.cpuUsage();
      const { said } = look(
        parts(
          whole,
          members.map((m) => m.length),
        ),
        2_000_000,
      );
      const used = process.cpuUsage(began).user / 1e6;
      t.match(said, SAMPLES[`${kind}-${name}`] ?? /^$/, `${kind}-${name}`);
      t.ok(used < 3, `${kind}-${name}: ${used} s`);
    }
  }
  t.same(found.sort(), Object.keys(SAMPLES).sort(), 'each sample is used');
  t.end();
});

t.test('bytes changed, bits flipped, disks cut', (t) => {
  let seed = 20261126;
  const random = (n: number) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((seed / 2 ** 32) * n);
  };
  let made = 0;
  for (const name of [
    'lvm-linear',
    'lvm-thin',
    'lvm-snapshot',
    'lvm-raid5_ls',
    'lvm-cache',
    'md-12-raid5-left-symmetric',
    'md-090-raid5',
    'md-12-raid10-f2',
    'md-10-raid1',
    'md-12-raid0-original',
  ]) {
    const set = [...all.lvm, ...all.md].find((s) => s.name === name)!;
    const sound = membersOf(set);
    // Where the structures are: all that is not zero, nor text of the filesystem.
    for (let round = 0; round < 40; round++) {
      const disks = sound.map((m) => Buffer.from(m));
      for (let i = random(12); i >= 0; i--) {
        const disk = disks[random(disks.length)]!;
        const end = Math.floor(disk.length / 65536) * 65536 - 65536;
        const areas = name.startsWith('lvm')
          ? [512, 4096, 4608, 65536, 131072, 1 << 20]
          : [4096, 4096, end, disk.length - 8192];
        const at = areas[random(areas.length)]! + random(round % 2 ? 512 : 200);
        if (at < disk.length) disk[at] = random(2) ? random(256) : disk[at]! ^ (1 << random(8));
      }
      const cut = random(8) === 0 ? disks.map((d) => d.subarray(0, random(d.length))) : disks;
      made += look(cut, 5_000_000).volumes;
    }
  }
  t.ok(made > 200, `${made} volumes`);
  t.end();
});
