/**
 * Arrays and logical volumes as disks of the guest's: `md/0`, `lvm/vg-root`, with what GRUB calls them otherwise (`mduuid/…`,
 * `lvmid/…/…`). A chunk, loaded when a volume holds nothing that is known, when somebody names such a disk, when there are several
 * disks, or when a table says that a partition is a member. What is found may hold further ones: a group on an array, on what was
 * decrypted.
 */
import type { Context } from '../bytes/budget';
import { GuestError, unsupported } from '../bytes/errors';
import { type ByteString, printable } from '../bytes/text';
import { type BlockSource, readBytes } from '../source/types';
import type { PhysicalVolume } from '../volume/lvm/label';
import type { Member } from '../volume/md/array';
import { AbsentSource } from '../volume/raid/mapped';
import type { Disk, Guest, Volume } from './guest';

const md = () => require('../volume/md/index') as typeof import('../volume/md/index');
const lvm = () => require('../volume/lvm/index') as typeof import('../volume/lvm/index');

/** Cheap: LVM's label is in one of the first four sectors. */
function hasLabel(source: BlockSource, ctx: Context): boolean {
  return readBytes(source, 0, Math.min(2048, source.size), ctx).includes('LABELONE');
}

/** Partitions of Windows' dynamic disks: MBR's type, GPT's of metadata and data. */
const DYNAMIC = /^(42$|5808c8aa-|af9b60a0-)/;

interface State {
  busy: boolean;
  readonly examined: Set<Volume>;
  readonly arrays: Map<ByteString, Member<Volume>[]>;
  readonly pvs: PhysicalVolume[];
  /** Disks made by this: the limit. */
  made: number;
}

/** What is known of a guest: of one that a configuration has a copy of, its own. */
const states = new WeakMap<Guest, State>();

/** What `assemble` has found so far: arrays by their UUIDs, physical volumes. */
export function assembledIn(guest: Guest): {
  readonly arrays: ReadonlyMap<ByteString, readonly Member<Volume>[]>;
  readonly pvs: readonly PhysicalVolume[];
} {
  return states.get(guest.from ?? guest) ?? { arrays: new Map(), pvs: [] };
}

/** Makes what lies on the volumes that are there now, and were not there the last time. */
export function assemble(guest: Guest, ctx: Context): void {
  const root = guest.from;
  if (root) {
    assemble(root, ctx);
    for (const disk of root.disks)
      if (/^(lvm|md)\//.test(disk.name) && !guest.disks.includes(disk)) {
        guest.removeDisk(disk.name);
        guest.disks.push(disk);
      }
    return;
  }
  let state = states.get(guest);
  if (!state) {
    state = { busy: false, examined: new Set(), arrays: new Map(), pvs: [], made: 0 };
    states.set(guest, state);
  }
  if (state.busy) return;
  state.busy = true;
  try {
    while (once(guest, state, ctx));
  } catch (error) {
    // A limit: what was made before it stays.
    if (!(error instanceof GuestError)) throw error;
    ctx.warn(error.describe());
  } finally {
    state.busy = false;
  }
}

/** @returns whether there was anything new, in which there may be more */
function once(guest: Guest, state: State, ctx: Context): boolean {
  const arrays = new Set<ByteString>();
  const before = state.pvs.length;
  const fresh: Volume[] = [];
  for (const disk of guest.disks) {
    // The whole after its parts: a superblock at the end of the last part is at the end of the disk, too.
    for (const volume of [...disk.partitions, disk.whole]) {
      if (state.examined.has(volume)) continue;
      state.examined.add(volume);
      fresh.push(volume);
    }
  }
  for (const volume of fresh) {
    const warn = (text: string) => ctx.warn(`${volume.name}: ${text}`);
    try {
      const member = memberOf(guest, volume, state, ctx, warn);
      if (member) {
        const { uuid } = member.superblock;
        arrays.add(uuid);
        state.arrays.set(uuid, [...(state.arrays.get(uuid) ?? []), member]);
        continue;
      }
      const pv = hasLabel(volume.source, ctx) && lvm().readPhysicalVolume(volume.source, ctx, warn);
      if (!pv) continue;
      if (state.pvs.some((p) => p.id === pv.id)) warn('a physical volume that is there already, left out');
      else state.pvs.push(pv);
    } catch (error) {
      if (!(error instanceof GuestError) || error.code === 'limit') throw error;
      warn(error.describe());
    }
  }
  for (const uuid of arrays) addArray(guest, state.arrays.get(uuid)!, uuid, state, ctx);
  if (state.pvs.length > before) addGroups(guest, state, ctx);
  return fresh.length > 0;
}

function memberOf(
  guest: Guest,
  volume: Volume,
  state: State,
  ctx: Context,
  warn: (text: string) => void,
): Member<Volume> | undefined {
  const { source } = volume;
  const disk = guest.disks.find((d) => d.whole === volume);
  for (const superblock of md().superblocks(source, ctx, warn)) {
    // That of the last partition, seen from the disk.
    const inside =
      disk &&
      [...state.arrays.values()]
        .flat()
        .some(
          (m) =>
            disk.partitions.includes(m.of) &&
            m.superblock.uuid === superblock.uuid &&
            (m.of.partition?.start ?? 0) + m.superblock.at === superblock.at,
        );
    if (!inside) return { superblock, source, of: volume };
  }
  const type = volume.partition?.type ?? '';
  const foreign = md().foreignRaid(source, ctx);
  const what = DYNAMIC.test(type)
    ? 'a Windows dynamic disk (LDM)'
    : foreign && `a RAID with ${foreign} metadata`;
  if (what) {
    warn(`holds ${what}, which is not read`);
    volume.shown = () => {
      throw unsupported(`${what}, which is not read`);
    };
  }
  return undefined;
}

/** Adds a disk, or puts it in the place of an earlier one of the name. */
function add(
  guest: Guest,
  name: ByteString,
  source: BlockSource,
  alias: ByteString,
  state: State,
  ctx: Context,
): Disk {
  ctx.budget.most('logicalVolumes', ++state.made, 'logical volumes and arrays');
  return guest.addDisk(name, source, { alias });
}

/** GRUB's name: what stands behind the host's in an array's name, or the number. */
function arrayName(guest: Guest, name: ByteString, uuid: ByteString): ByteString {
  const own = name.slice(name.indexOf(':') + 1);
  // What would not be one word of a device's name is not used.
  const wanted = `md/${/^[A-Za-z0-9_.+-]{1,32}$/.test(own) ? own : uuid}`;
  const alias = `mduuid/${uuid}`;
  for (let n = 0; ; n++) {
    const next = n === 0 ? wanted : `${wanted}_${n}`;
    const there = guest.disks.find((d) => d.name === next);
    if (!there || there.alias === alias) return next;
  }
}

function addArray(
  guest: Guest,
  members: readonly Member<Volume>[],
  uuid: ByteString,
  state: State,
  ctx: Context,
): void {
  const array = md().assemble(members, (volume) => volume.name);
  const name = arrayName(guest, array.superblock.name, uuid);
  const shown = printable(name);
  for (const note of array.notes) ctx.warn(`${shown}: ${note}`);
  let source: BlockSource;
  let broken: GuestError | undefined;
  try {
    source = array.open(shown, ctx);
  } catch (error) {
    if (!(error instanceof GuestError) || error.code === 'limit') throw error;
    broken = error;
    source = absent(shown, error);
  }
  const disk = add(guest, name, source, `mduuid/${uuid}`, state, ctx);
  const mirror = array.superblock.level === 1;
  for (const { of: volume, superblock } of members) {
    if (!mirror || superblock.dataOffset !== 0) {
      volume.shown = () => {
        if (broken) throw unsupported(`a member of ${shown}, which is not usable: ${broken.message}`);
        return undefined;
      };
      continue;
    }
    // A member that shows what the array holds: so it does here, even where it was left behind.
    volume.shown = () => disk.whole.filesystem();
    const whole = guest.disks.find((d) => d.whole === volume);
    for (const partition of whole?.partitions ?? []) {
      const same = disk.partitions.find(
        (p) =>
          p.partition?.start === partition.partition?.start &&
          p.partition?.size === partition.partition?.size,
      );
      if (same) partition.shown = () => same.filesystem();
    }
  }
}

const absent = (name: string, error: GuestError): BlockSource =>
  new AbsentSource(name, 1024 ** 2, () => new GuestError(error.code, error.message));

function addGroups(guest: Guest, state: State, ctx: Context): void {
  for (const group of lvm().volumeGroups(state.pvs, ctx, ctx.warn)) {
    const reader = new (lvm().GroupReader)(group, ctx, (text) =>
      ctx.warn(`${printable(group.name)}: ${text}`),
    );
    const double = (text: ByteString) => text.replaceAll('-', '--');
    // Snapshots last: their filesystems have the UUIDs of those they were made of.
    const rank = (name: ByteString) => {
      const [first] = group.volumes.get(name)!.segments;
      return reader.snapshotOf(name) || first?.values.has('origin') ? 1 : 0;
    };
    const names = [...group.volumes.values()].flatMap((v) => {
      const [first] = v.segments;
      const type = first?.values.get('type');
      if (!v.visible || type === 'thin-pool') return [];
      // The visible one of a snapshot's two says which the other is, whose name it has.
      return type === 'snapshot' ? (group.volumes.get(String(first!.values.get('cow_store'))) ?? []) : v;
    });
    for (const wanted of [0, 1]) {
      for (const volume of names) {
        if (rank(volume.name) !== wanted) continue;
        const name = `lvm/${double(group.name)}-${double(volume.name)}`;
        let source: BlockSource;
        try {
          source = reader.shown(volume.name);
        } catch (error) {
          if (!(error instanceof GuestError) || error.code === 'limit') throw error;
          ctx.warn(`${printable(name)}: ${error.describe()}`);
          source = absent(printable(name), error);
        }
        const there = guest.disks.find((d) => d.name === name);
        if (there && there.whole.source === source) continue;
        add(guest, name, source, `lvmid/${group.id}/${volume.id}`, state, ctx);
      }
    }
  }
}
