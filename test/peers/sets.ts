/** GRUB's own reading of the arrays and volume groups of fixtures/images, beside ours. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import type { FileSystem } from '../../lib/fs/types';
import { context } from '../support';
import { type FixtureSet, filesOn, guestOf, membersOf } from '../volume/sets';
import { run, scratch, sha256 } from './support';

/** Writes the members as files. */
export function disksOf(dir: string, set: FixtureSet): string[] {
  return membersOf(set).map((bytes, i) => {
    const path = join(dir, `${set.name}-${i}`);
    writeFileSync(path, bytes);
    return path;
  });
}

/** The device's files by GRUB: its sha256 of each path, or GRUB's words. */
export function byGrub(
  paths: readonly string[],
  disks: readonly string[],
  device: string,
): Record<string, string> {
  return Object.fromEntries(
    paths.map((path) => {
      const r = run('grub-fstest', ['-r', device, '-c', `${disks.length}`, ...disks, 'cat', path]);
      const bytes = Buffer.from(r.stdout, 'latin1');
      return [
        path,
        r.status === 0 && bytes.length > 0 ? sha256(bytes) : r.stderr.trim().slice(0, 100) || 'nothing',
      ];
    }),
  );
}

/** Names that `ls` shows, of arrays and groups. */
export function namesByGrub(disks: readonly string[]): string[] {
  const r = run('grub-fstest', ['-c', `${disks.length}`, ...disks, 'ls']);
  return [...r.stdout.matchAll(/\(((?:md|lvm)\/[^)]*)\)/g)].map((m) => m[1]!).sort();
}

/** @param unread what this GRUB does not read, with what it does instead */
export function compare(
  t: Test,
  sets: readonly FixtureSet[],
  paths: readonly string[],
  unread: (set: FixtureSet) => string | undefined,
): void {
  const dir = scratch(t);
  let same = 0;
  for (const set of sets) {
    const disks = disksOf(dir, set);
    const guest = guestOf(membersOf(set), context());
    guest.assemble();
    const ours = guest.disks
      .filter((d) => /^(md|lvm)\//.test(d.name))
      .flatMap((d) => [d.whole, ...d.partitions]);
    const why = unread(set);
    if (why !== undefined) {
      t.comment(`${set.name}: ${why}`);
      continue;
    }
    t.same(namesByGrub(disks), ours.map((v) => v.name).sort(), `${set.name}: names`);
    for (const volume of ours) {
      let fs: FileSystem | undefined;
      try {
        fs = volume.filesystem();
      } catch {
        fs = undefined;
      }
      if (!fs) continue;
      t.same(byGrub(paths, disks, volume.name), filesOn(fs, paths), `${set.name} ${volume.name}`);
      const { alias } = guest.disks.find((d) => d.whole === volume) ?? {};
      if (alias) t.same(byGrub(paths.slice(0, 1), disks, alias), filesOn(fs, paths.slice(0, 1)), alias);
      same++;
    }
  }
  t.ok(same > 0, `${same} devices`);
}
