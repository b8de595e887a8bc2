/** An array of the members that are there: which of them count, and how their bytes lie. */
import type { Context } from '../../bytes/budget';
import { corrupt, unsupported } from '../../bytes/errors';
import { type BlockSource, SliceSource } from '../../source/types';
import { RunSource } from '../raid/mapped';
import { MirrorSource, ParitySource, Raid10Source, zoned } from '../raid/stripes';
import { LINEAR } from './layout';
import type { Superblock } from './superblock';

/** A volume with a superblock. */
export interface Member<T = unknown> {
  readonly superblock: Superblock;
  readonly source: BlockSource;
  /** The caller's. */
  readonly of: T;
}

export interface Assembled<T = unknown> {
  /** The newest superblock. */
  readonly superblock: Superblock;
  /** By place in the array. */
  readonly members: readonly (Member<T> | undefined)[];
  readonly notes: readonly string[];
  /** @throws GuestError when the array cannot be read */
  open(label: string, ctx: Context): BlockSource;
}

/** `raid5`, `linear` */
export const levelName = (level: number): string => (level === LINEAR ? 'linear' : `raid${level}`);

/**
 * @param all the members of one array (equal UUID), in any order
 * @param nameOf how a member is named in messages
 */
export function assemble<T>(all: readonly Member<T>[], nameOf: (of: T) => string): Assembled<T> {
  const notes: string[] = [];
  const newest = all.reduce((best, m) =>
    m.superblock.events > best.superblock.events ? m : best,
  ).superblock;
  const members: (Member<T> | undefined)[] = new Array(newest.members).fill(undefined);
  for (const member of all) {
    const { superblock: own, of } = member;
    const name = nameOf(of);
    // One event less is what an array that was not stopped in order may leave (Linux: super_1_validate, mdadm: Assemble.c).
    if (own.events + 1 < newest.events) {
      notes.push(`${name} is left out: its event count is ${own.events}, the array's ${newest.events}`);
      continue;
    }
    if (own.level !== newest.level || own.members !== newest.members || own.version !== newest.version) {
      notes.push(`${name} is left out: it says ${levelName(own.level)} of ${own.members} (${own.version})`);
      continue;
    }
    const role = newest.role(own.number);
    if (role === undefined) {
      if (own.role(own.number) !== undefined)
        notes.push(`${name} is left out: the array counts it as failed`);
      continue;
    }
    if (own.incomplete) {
      notes.push(`${name} is left out: it is being rebuilt`);
      continue;
    }
    const there = members[role];
    if (there) notes.push(`${name} is left out: ${nameOf(there.of)} has the same place in the array`);
    else members[role] = member;
  }
  const present = members.filter((m) => m !== undefined).length;
  if (present < members.length) {
    const gone = members.flatMap((m, i) => (m ? [] : [i])).slice(0, 8);
    notes.push(`${present} of ${members.length} members are used, missing: ${gone.join(', ')}`);
  }
  if (newest.journal) notes.push('its write journal is not read');
  return { superblock: newest, members, notes, open: (label, ctx) => open(newest, members, label, ctx) };
}

function open(
  s: Superblock,
  members: readonly (Member | undefined)[],
  label: string,
  ctx: Context,
): BlockSource {
  if (s.reshaped) throw unsupported('the array is being reshaped', label);
  const { level, chunk, layout } = s;
  const areas = members.map((m) => {
    if (!m) return undefined;
    const { dataOffset, dataSize } = m.superblock;
    const wanted = s.used || dataSize;
    // A member that was cut: what is read beyond its end is an error there.
    return new SliceSource(
      m.source,
      dataOffset,
      Math.min(wanted, dataSize, m.source.size - dataOffset),
      label,
    );
  });
  const sizes = areas.flatMap((a) => (a ? [a.size] : []));
  const used = s.used || Math.min(...sizes);
  if (sizes.length === 0 || used <= 0) throw corrupt('no member has any data', label);
  if (level === 1)
    return new MirrorSource(
      label,
      used,
      areas.filter((a) => a !== undefined),
      ctx,
    );
  const whole = (): BlockSource[] =>
    areas.map((a, i) => {
      if (!a)
        throw unsupported(`member ${i} of ${areas.length} is missing, ${levelName(level)} needs all`, label);
      return a;
    });
  if (level !== LINEAR && (chunk < 512 || chunk % 512 !== 0 || chunk > 2 ** 30))
    throw corrupt(`${levelName(level)} with chunks of ${chunk} bytes`, label);
  switch (level) {
    case LINEAR: {
      const runs = whole().map((source) => {
        // Linux rounds each to the chunk ("rounding"), where one is set.
        const length = chunk > 0 ? Math.floor(source.size / chunk) * chunk : source.size;
        return { source, at: 0, length };
      });
      return new RunSource(label, runs, ctx);
    }
    case 0: {
      const all = whole();
      const even = new Set(all.map((a) => Math.floor(a.size / chunk))).size === 1;
      if (!even && s.zoneLayout && layout !== 1 && layout !== 2)
        throw unsupported(`raid0 with layout ${layout}`, label);
      // Without a word about it: Linux since 3.14 took the alternate one, and asks today.
      return zoned(label, all, chunk, s.zoneLayout && layout === 1, ctx);
    }
    case 4:
    case 5:
    case 6: {
      const rows = Math.floor(used / chunk);
      const data = areas.length - (level === 6 ? 2 : 1);
      return new ParitySource(label, rows * data * chunk, level, layout, areas, chunk, ctx);
    }
    case 10:
      return new Raid10Source(label, areas, chunk, layout, used, ctx);
  }
  throw unsupported(`md level ${level}`, label);
}
