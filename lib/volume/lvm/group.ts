/** A volume group as its newest metadata describe it. */
import type { Context } from '../../bytes/budget';
import { corrupt, GuestError } from '../../bytes/errors';
import { type ByteString, printable } from '../../bytes/text';
import type { PhysicalVolume } from './label';
import { listOf, numberOf, parseText, type Section, textOf } from './text';

export interface LogicalVolume {
  readonly name: ByteString;
  /** With its hyphens. */
  readonly id: ByteString;
  readonly visible: boolean;
  readonly section: Section;
  /** Its segments, in order. */
  readonly segments: readonly Section[];
}

export interface VolumeGroup {
  readonly name: ByteString;
  readonly id: ByteString;
  readonly seqno: number;
  /** Bytes. */
  readonly extent: number;
  /** By the name that segments call them: where their data are, or undefined for one that is missing. */
  readonly devices: ReadonlyMap<
    ByteString,
    { pv: PhysicalVolume | undefined; start: number; id: ByteString }
  >;
  readonly volumes: ReadonlyMap<ByteString, LogicalVolume>;
}

const plainId = (id: ByteString): ByteString => id.replaceAll('-', '');

/** Names that lvm2 allows (lib/misc/lvm-string.c); others would be paths, or break GRUB's. */
const NAME = /^[A-Za-z0-9_+.-]{1,127}$/;

/**
 * The groups of these PVs; of several copies of the metadata the one with the highest sequence number counts, on whatever PV it is.
 */
export function volumeGroups(
  pvs: readonly PhysicalVolume[],
  ctx: Context,
  warn: (text: string) => void,
): VolumeGroup[] {
  const newest = new Map<ByteString, { name: ByteString; root: Section; seqno: number }>();
  const seen = new Set<ByteString>();
  for (const text of pvs.flatMap((pv) => pv.texts)) {
    if (seen.has(text)) continue;
    seen.add(text);
    try {
      const root = parseText(text, ctx);
      for (const [name, section] of root.sections) {
        const id = textOf(section, 'id');
        const seqno = numberOf(section, 'seqno');
        const there = newest.get(id);
        if (there && there.seqno !== seqno)
          warn(
            `LVM group ${printable(name)}: a copy of the metadata is older (${Math.min(seqno, there.seqno)}, the newest is ${Math.max(seqno, there.seqno)})`,
          );
        if (!there || seqno > there.seqno) newest.set(id, { name, root: section, seqno });
      }
    } catch (error) {
      if (!(error instanceof GuestError) || error.code === 'limit') throw error;
      warn(`LVM metadata: ${error.message}`);
    }
  }
  const groups: VolumeGroup[] = [];
  for (const [id, { name, root, seqno }] of newest) {
    try {
      groups.push(group(id, name, root, seqno, pvs, ctx, warn));
    } catch (error) {
      if (!(error instanceof GuestError) || error.code === 'limit') throw error;
      warn(`LVM group ${printable(name)}: ${error.message}`);
    }
  }
  return groups;
}

function group(
  id: ByteString,
  name: ByteString,
  root: Section,
  seqno: number,
  pvs: readonly PhysicalVolume[],
  ctx: Context,
  warn: (text: string) => void,
): VolumeGroup {
  if (!NAME.test(name)) throw corrupt(`the name '${printable(name)}'`);
  const extent = numberOf(root, 'extent_size') * 512;
  if (extent < 512 || extent > 2 ** 43) throw corrupt(`extents of ${extent} bytes`);
  const devices: VolumeGroup['devices'] extends ReadonlyMap<infer K, infer V> ? Map<K, V> : never = new Map();
  for (const [key, section] of root.sections.get('physical_volumes')?.sections ?? []) {
    ctx.budget.step(pvs.length + 1);
    const own = textOf(section, 'id');
    const pv = pvs.find((p) => p.id === plainId(own));
    if (!pv) warn(`LVM group ${printable(name)}: its physical volume ${printable(own)} is missing`);
    devices.set(key, { pv, start: numberOf(section, 'pe_start', 0) * 512, id: own });
  }
  const volumes = new Map<ByteString, LogicalVolume>();
  for (const [key, section] of root.sections.get('logical_volumes')?.sections ?? []) {
    ctx.budget.step();
    if (!NAME.test(key)) {
      warn(`LVM group ${printable(name)}: the volume '${printable(key)}' is left out`);
      continue;
    }
    const segments = [...section.sections].filter(([word]) => /^segment\d+$/.test(word)).map(([, s]) => s);
    segments.sort((a, b) => numberOf(a, 'start_extent', 0) - numberOf(b, 'start_extent', 0));
    volumes.set(key, {
      name: key,
      id: textOf(section, 'id', ''),
      visible: listOf(section, 'status').includes('VISIBLE'),
      section,
      segments,
    });
  }
  return { name, id, seqno, extent, devices, volumes };
}
