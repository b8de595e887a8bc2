/** Logical volumes as sources: their segments, and what those lie on (lvm2's lib/format_text/import_vsn1.c and lib/*\/*.c for the keys). */
import type { Context } from '../../bytes/budget';
import { corrupt, GuestError, notFound, unsupported, within } from '../../bytes/errors';
import { type ByteString, printable } from '../../bytes/text';
import { type BlockSource, readBytes, SliceSource } from '../../source/types';
import { AbsentSource, type Run, RunSource } from '../raid/mapped';
import { Layout, MirrorSource, ParitySource, Raid10Source, StripedSource } from '../raid/stripes';
import type { LogicalVolume, VolumeGroup } from './group';
import { DM_RAID_MAGIC, DmRaidSuperblock, STACK_DEPTH } from './layout';
import { SnapshotSource } from './snapshot';
import { listOf, numberOf, type Section, textOf } from './text';
import { ThinPool } from './thin';

/** Layouts by lvm2's names (lib/raid, drivers/md/dm-raid.c). */
const RAID: Readonly<Record<string, readonly [level: 4 | 5 | 6, layout: number]>> = {
  // The kernel's dm-raid has its parity in front.
  raid4: [5, Layout.parity0],
  raid5: [5, Layout.leftSymmetric],
  raid5_ls: [5, Layout.leftSymmetric],
  raid5_la: [5, Layout.leftAsymmetric],
  raid5_rs: [5, Layout.rightSymmetric],
  raid5_ra: [5, Layout.rightAsymmetric],
  raid5_n: [5, Layout.parityN],
  raid6: [6, Layout.rotatingZeroRestart],
  raid6_zr: [6, Layout.rotatingZeroRestart],
  raid6_nr: [6, Layout.rotatingNRestart],
  raid6_nc: [6, Layout.rotatingNContinue],
  raid6_ls_6: [6, Layout.leftSymmetric6],
  raid6_la_6: [6, Layout.leftAsymmetric6],
  raid6_rs_6: [6, Layout.rightSymmetric6],
  raid6_ra_6: [6, Layout.rightAsymmetric6],
  raid6_n_6: [6, Layout.parityN],
};

/** What is opened once and used by several. */
export class GroupReader {
  readonly #open = new Map<ByteString, BlockSource | GuestError>();
  readonly #pools = new Map<ByteString, ThinPool>();
  /** By the volume that is their store. */
  #snapshots: Map<ByteString, Section> | undefined;
  #depth = 0;

  constructor(
    readonly group: VolumeGroup,
    readonly ctx: Context,
    readonly warn: (text: string) => void,
  ) {}

  /** @throws GuestError */
  source(name: ByteString): BlockSource {
    const found = this.#open.get(name);
    if (found instanceof GuestError) throw found;
    if (found) return found;
    const volume = this.group.volumes.get(name);
    if (!volume) throw notFound(`there is no logical volume '${printable(name)}'`);
    if (this.#depth >= STACK_DEPTH)
      throw corrupt(`more than ${STACK_DEPTH} volumes upon each other`, printable(name));
    this.#depth++;
    // A volume that lies on itself.
    this.#open.set(name, corrupt('the volume lies on itself', printable(name)));
    try {
      const source = within(printable(name), () => this.#volume(volume));
      this.#open.set(name, source);
      return source;
    } catch (error) {
      if (error instanceof GuestError) this.#open.set(name, error);
      throw error;
    } finally {
      this.#depth--;
    }
  }

  /** The snapshot whose store this is, if it is one. */
  snapshotOf(name: ByteString): Section | undefined {
    if (!this.#snapshots) {
      this.#snapshots = new Map();
      for (const volume of this.group.volumes.values())
        for (const s of volume.segments) {
          this.ctx.budget.step();
          const store = s.values.get('cow_store');
          if (s.values.get('type') !== 'snapshot' || typeof store !== 'string') continue;
          if (!this.#snapshots.has(store)) this.#snapshots.set(store, s);
        }
    }
    return this.#snapshots.get(name);
  }

  /** What the kernel shows under the name. @throws GuestError */
  shown(name: ByteString): BlockSource {
    const snapshot = this.snapshotOf(name);
    if (!snapshot) return this.source(name);
    return within(printable(name), () => {
      const origin = this.source(textOf(snapshot, 'origin'));
      return new SnapshotSource(printable(name), origin, this.source(name), this.ctx);
    });
  }

  #volume(volume: LogicalVolume): BlockSource {
    const label = printable(volume.name);
    const runs: Run[] = [];
    let next = 0;
    for (const segment of volume.segments) {
      this.ctx.budget.step();
      const start = numberOf(segment, 'start_extent');
      const count = numberOf(segment, 'extent_count');
      const length = count * this.group.extent;
      if (start !== next || count === 0 || !Number.isSafeInteger(length) || next + count > 2 ** 32)
        throw corrupt(`a segment of ${count} extents at ${start}, the one before ends at ${next}`);
      next += count;
      const source = this.#segment(label, segment, length);
      runs.push({ length, source, at: 0 });
    }
    if (runs.length === 0) throw corrupt('no segments');
    const [only] = runs;
    return runs.length === 1 && only!.source?.size === only!.length
      ? only!.source!
      : new RunSource(label, runs, this.ctx);
  }

  /** @returns undefined: zeros */
  #segment(label: string, s: Section, length: number): BlockSource | undefined {
    const type = textOf(s, 'type').split('+')[0]!;
    const { ctx } = this;
    if (type === 'striped' || type === 'linear') return this.#stripes(label, s, length);
    if (type === 'mirror') {
      const legs = this.#places(listOf(s, 'mirrors'), length).flatMap((leg) =>
        leg instanceof AbsentSource ? [] : [leg],
      );
      if (legs.length === 0) throw unsupported('all copies are missing');
      return new MirrorSource(label, length, legs, ctx);
    }
    if (/^raid/.test(type)) return this.#raid(label, type, s, length);
    switch (type) {
      case 'zero':
        return undefined;
      case 'error':
        return new AbsentSource(label, length, () => unsupported('the segment is set to give errors', label));
      case 'thin': {
        const pool = this.#pool(textOf(s, 'thin_pool'));
        const external = s.values.get('external_origin');
        const below = typeof external === 'string' ? this.source(external) : undefined;
        return pool.volume(label, numberOf(s, 'device_id'), length, below);
      }
      case 'cache': {
        const fast = this.group.volumes.get(textOf(s, 'cache_pool', ''));
        const mode = [s, ...(fast?.segments ?? [])]
          .map((x) => x.values.get('cache_mode'))
          .find((m) => m !== undefined);
        if (mode === 'writeback')
          this.warn(
            `${label}: the cache is in writeback mode and is not read: what it has not written back is missing`,
          );
        return this.#part(this.source(textOf(s, 'origin')), length, label);
      }
      case 'writecache':
        this.warn(`${label}: its writecache is not read: what it has not written back is missing`);
        return this.#part(this.source(textOf(s, 'origin')), length, label);
      case 'integrity':
        return this.#part(this.source(textOf(s, 'origin')), length, label);
    }
    throw unsupported(`a segment of type '${printable(type, 40)}'`);
  }

  #part(source: BlockSource, length: number, label: string): BlockSource {
    if (source instanceof AbsentSource) return source;
    if (source.size < length) throw corrupt(`${length} bytes on ${source.size}`);
    return source.size === length ? source : new SliceSource(source, 0, length, label);
  }

  /** Pairs of name and extent: the area of `length` bytes there; one that is not there tells so when it is read. */
  #places(pairs: readonly unknown[], length: number): BlockSource[] {
    const found: BlockSource[] = [];
    for (let i = 0; i + 1 < pairs.length; i += 2) {
      this.ctx.budget.step();
      const [name, extent] = [pairs[i], pairs[i + 1]];
      if (typeof name !== 'string' || typeof extent !== 'number' || extent < 0)
        throw corrupt('a list of places that makes no sense');
      const device = this.group.devices.get(name);
      const start = extent * this.group.extent;
      if (device) {
        const { pv, id } = device;
        if (!pv) {
          found.push(
            new AbsentSource(name, length, () =>
              unsupported(`the physical volume ${printable(id)} is missing`),
            ),
          );
          continue;
        }
        const at = device.start + start;
        if (!(at + length <= pv.source.size))
          throw corrupt(
            `${length} bytes at ${at} of the physical volume ${printable(name)} of ${pv.source.size}`,
          );
        found.push(new SliceSource(pv.source, at, length, printable(name)));
        continue;
      }
      const below = this.source(name);
      if (below instanceof AbsentSource) {
        found.push(below);
        continue;
      }
      if (!(start + length <= below.size))
        throw corrupt(`${length} bytes at ${start} of '${printable(name)}' of ${below.size}`);
      found.push(
        start === 0 && length === below.size ? below : new SliceSource(below, start, length, printable(name)),
      );
    }
    return found;
  }

  #stripes(label: string, s: Section, length: number): BlockSource {
    const pairs = listOf(s, 'stripes');
    const count = pairs.length / 2;
    if (count < 1 || !Number.isInteger(count) || length % count !== 0)
      throw corrupt(`${count} stripes for ${length} bytes`);
    const parts = this.#places(pairs, length / count);
    if (parts.length === 1) return parts[0]!;
    const chunk = numberOf(s, 'stripe_size') * 512;
    if (chunk < 512 || chunk > 2 ** 30) throw corrupt(`stripes of ${chunk} bytes`);
    return new StripedSource(label, length, parts, chunk, this.ctx);
  }

  #pool(name: ByteString): ThinPool {
    const there = this.#pools.get(name);
    if (there) return there;
    const segment = this.group.volumes.get(name)?.segments[0];
    if (segment?.values.get('type') !== 'thin-pool') throw corrupt(`'${printable(name)}' is no thin pool`);
    const pool = within(
      printable(name),
      () =>
        new ThinPool(
          this.source(textOf(segment, 'metadata')),
          this.source(textOf(segment, 'pool')),
          this.ctx,
          (t) => this.warn(`${printable(name)}: ${t}`),
        ),
    );
    this.#pools.set(name, pool);
    return pool;
  }

  #raid(label: string, type: string, s: Section, length: number): BlockSource {
    const { ctx } = this;
    const withMeta = listOf(s, 'raids');
    const names = withMeta.length > 0 ? withMeta : listOf(s, 'raid0_lvs');
    const text = names.map((n) => {
      if (typeof n !== 'string') throw corrupt('a list of images that makes no sense');
      return n;
    });
    // Each image has its metadata in front of it, but for RAID 0 without.
    const paired = withMeta.length > 0 && (type !== 'raid0' || text.some((n) => /_rmeta_\d+$/.test(n)));
    const images = paired ? text.filter((_, i) => i % 2 === 1) : text;
    if (images.length === 0 || new Set(images).size !== images.length)
      throw corrupt(`${type} of ${images.length} images`);
    const parts = images.map((name) => {
      ctx.budget.step();
      try {
        const source = this.source(name);
        return source instanceof AbsentSource ? undefined : source;
      } catch (error) {
        if (!(error instanceof GuestError) || error.code === 'limit') throw error;
        this.warn(`${label}: ${error.describe()}`);
        return undefined;
      }
    });
    if (paired && type !== 'raid0_meta' && type !== 'raid0')
      this.#stale(
        label,
        text.filter((_, i) => i % 2 === 0),
        parts,
      );
    const chunk = numberOf(s, 'stripe_size', 0) * 512;
    if (type === 'raid1') {
      const legs = parts.filter((p) => p !== undefined);
      if (legs.length === 0) throw unsupported('all images are missing');
      for (const leg of legs)
        if (leg.size < length) throw corrupt(`${length} bytes on an image of ${leg.size}`);
      return new MirrorSource(label, length, legs, ctx);
    }
    if (chunk < 512 || chunk > 2 ** 30) throw corrupt(`${type} with stripes of ${chunk} bytes`);
    const used = Math.min(...parts.flatMap((p) => (p ? [p.size] : [])));
    let source: BlockSource;
    if (type === 'raid0' || type === 'raid0_meta') {
      const all = parts.map((p, i) => {
        if (!p) throw unsupported(`the image ${printable(images[i]!)} is missing, ${type} needs all`);
        return p;
      });
      source = new StripedSource(label, Math.floor(used / chunk) * chunk * all.length, all, chunk, ctx);
    } else if (type === 'raid10' || type === 'raid10_near') {
      const copies = numberOf(s, 'data_copies', 2);
      source = new Raid10Source(label, parts, chunk, 0x100 + copies, used, ctx);
    } else {
      const known = RAID[type];
      if (!known) throw unsupported(`a segment of type '${printable(type, 40)}'`);
      const data = parts.length - (known[0] === 6 ? 2 : 1);
      source = new ParitySource(
        label,
        Math.floor(used / chunk) * chunk * data,
        known[0],
        known[1],
        parts,
        chunk,
        ctx,
      );
    }
    if (source.size < length) throw corrupt(`${type} of ${length} bytes on images that hold ${source.size}`);
    return this.#part(source, length, label);
  }

  /** Takes out images that dm-raid's own superblocks say are behind. */
  #stale(label: string, metas: readonly ByteString[], parts: (BlockSource | undefined)[]): void {
    const known = metas.map((name, i) => {
      if (!parts[i]) return undefined;
      try {
        const source = this.source(name);
        if (source instanceof AbsentSource || source.size < DmRaidSuperblock.size) return undefined;
        const s = DmRaidSuperblock.read(readBytes(source, 0, DmRaidSuperblock.size, this.ctx));
        return s.magic === DM_RAID_MAGIC ? s : undefined;
      } catch (error) {
        if (!(error instanceof GuestError) || error.code === 'limit') throw error;
        return undefined;
      }
    });
    let newest: (typeof known)[number];
    for (const s of known) if (s && (!newest || s.events > newest.events)) newest = s;
    if (!newest) return;
    for (const [i, s] of known.entries()) {
      if (!parts[i] || !s) continue;
      const failed = i < 64 && (newest.failed_devices[i >> 3]! & (1 << (i & 7))) !== 0;
      const behind = s.events + 1 < newest.events;
      const rebuilding = s.disk_recovery_offset.readBigUInt64LE(0) * 512n < BigInt(parts[i].size);
      if (!failed && !behind && !rebuilding) continue;
      this.warn(
        `${label}: image ${i} is left out: ${failed ? 'it is marked as failed' : behind ? 'it is older than the others' : 'it is being rebuilt'}`,
      );
      parts[i] = undefined;
    }
  }
}
