/** Volume descriptor sequence → the logical volume's checked values: identity, partitions, maps. */
import type { Context } from '../../lib/bytes/budget';
import { corrupt, GuestError, unsupported, within } from '../../lib/bytes/errors';
import { type ByteString, printable } from '../../lib/bytes/text';
import { type BlockSource, readBytes } from '../../lib/source/types';
import {
  LogicalVolumeDescriptor,
  MAPS_MOST,
  NEWEST_REVISION,
  PartitionDescriptor,
  PrimaryVolumeDescriptor,
  TAG,
  Tag,
  Type1PartitionMap,
  Type2PartitionMap,
  VolumeDescriptorPointer,
} from './layout';
import { dstring, uuidOf } from './names';
import { type Anchor, anchors, type VolumeExtent } from './recognition';
import { checksumFits, Tags } from './tag';

/** Sectors of one sequence, and sequences that follow one another, at most. */
const SECTORS_MOST = 1024;
const SEQUENCES_MOST = 16;

export interface Partition {
  readonly start: number;
  readonly blocks: number;
}

export type PartitionMap =
  | { readonly kind: 'physical'; readonly partition: Partition }
  | { readonly kind: 'virtual'; readonly partition: Partition }
  | {
      readonly kind: 'sparable';
      readonly partition: Partition;
      readonly packet: number;
      readonly tableSize: number;
      readonly tables: readonly number[];
    }
  | {
      readonly kind: 'metadata';
      readonly partition: Partition;
      /** Index of the map whose blocks the metadata's files are in. */
      readonly below: number;
      readonly files: readonly [main: number, mirror: number];
    };

export interface LogicalVolume {
  readonly blockSize: number;
  readonly maps: readonly PartitionMap[];
  /** A long_ad: where the file set descriptor is. */
  readonly fileSet: Buffer;
  readonly uuid?: string;
  readonly label?: ByteString;
}

/**
 * The logical volume that the anchors lead to; undefined: no anchor, it is no UDF.
 * @throws GuestError `corrupt` when no anchor leads to a whole sequence, `unsupported`
 */
export function readLogicalVolume(source: BlockSource, ctx: Context): LogicalVolume | undefined {
  let refused: GuestError | undefined;
  for (const anchor of anchors(source, ctx))
    for (const extent of anchor.sequences)
      try {
        const volume = within(`volume descriptors at sector ${extent.sector}`, () =>
          logicalVolume(readSequence(source, anchor, extent, ctx), anchor),
        );
        if (refused) ctx.warn(`${refused.describe()}; those at sector ${extent.sector} are used`);
        return volume;
      } catch (error) {
        if (!(error instanceof GuestError) || error.code === 'limit') throw error;
        // What is too new is not damage: the copy says the same.
        refused ??= error;
      }
  if (refused) throw refused;
  return undefined;
}

interface Sequence {
  readonly primary?: Buffer;
  readonly logical?: Buffer;
  readonly partitions: ReadonlyMap<number, Buffer>;
}

/** The descriptors that prevail: of the same kind (and partition) the one with the highest number (3/8.4.3). */
function readSequence(
  source: BlockSource,
  { sectorSize }: Anchor,
  first: VolumeExtent,
  ctx: Context,
): Sequence {
  let primary: Buffer | undefined;
  let logical: Buffer | undefined;
  const partitions = new Map<number, Buffer>();
  const newer = (b: Buffer, than: Buffer | undefined) =>
    !than || b.readUInt32LE(16) > than.readUInt32LE(16) ? b : than;
  const tags = new Tags();
  let next: VolumeExtent | undefined = first;
  for (let sequences = 0; next; sequences++) {
    if (sequences === SEQUENCES_MOST) throw corrupt(`more than ${SEQUENCES_MOST} sequences`);
    const here: VolumeExtent = next;
    next = undefined;
    const sectors = Math.min(SECTORS_MOST, Math.ceil(here.length / sectorSize));
    for (let sector = here.sector; sector < here.sector + sectors; sector++) {
      // What is longer than a sector goes on in the next one.
      const at = sector * sectorSize;
      const b = readBytes(source, at, Math.min(Math.max(sectorSize, 4096), source.size - at), ctx);
      if (b.length < 512) break;
      const { TagIdentifier } = Tag.read(b);
      if (TagIdentifier === TAG.terminating || TagIdentifier === 0) break;
      const wrong = tags.wrong(b, 0, sector);
      if (wrong) {
        if (!checksumFits(b)) throw corrupt(wrong, `sector ${sector}`);
        ctx.warn(`volume descriptor at sector ${sector}: ${wrong}`);
      }
      if (TagIdentifier === TAG.primaryVolume) primary = newer(b, primary);
      else if (TagIdentifier === TAG.logicalVolume) logical = newer(b, logical);
      else if (TagIdentifier === TAG.partition) {
        const { PartitionNumber } = PartitionDescriptor.read(b);
        partitions.set(PartitionNumber, newer(b, partitions.get(PartitionNumber)));
      } else if (TagIdentifier === TAG.volumeDescriptorPointer) {
        const p = VolumeDescriptorPointer.read(b);
        next = { length: p.NextLength, sector: p.NextLocation };
      }
    }
  }
  return { ...(primary ? { primary } : {}), ...(logical ? { logical } : {}), partitions };
}

function logicalVolume(sequence: Sequence, { sectorSize }: Anchor): LogicalVolume {
  if (!sequence.logical) throw corrupt('no logical volume descriptor');
  const d = LogicalVolumeDescriptor.read(sequence.logical);
  if (
    d.DomainIdentifier.toString('latin1').startsWith('*OSTA UDF Compliant') &&
    d.UDFRevision > NEWEST_REVISION
  )
    throw unsupported(
      `UDF revision ${d.UDFRevision >> 8}.${(d.UDFRevision & 0xff).toString(16).padStart(2, '0')}`,
    );
  if (d.LogicalBlockSize !== sectorSize)
    throw unsupported(`logical blocks of ${d.LogicalBlockSize} bytes in sectors of ${sectorSize}`);
  if (d.NumberOfPartitionMaps === 0 || d.NumberOfPartitionMaps > MAPS_MOST)
    throw corrupt(`${d.NumberOfPartitionMaps} partition maps, maximum ${MAPS_MOST}`);
  const end = LogicalVolumeDescriptor.size + d.MapTableLength;
  if (end > sequence.logical.length) throw corrupt(`partition maps of ${d.MapTableLength} bytes`);
  const table = sequence.logical.subarray(LogicalVolumeDescriptor.size, end);
  const maps: PartitionMap[] = [];
  /** What maps of the second kind stand on: the map of the first kind, or a sparable one, of the same partition. */
  const below = new Map<number, number>();
  for (let i = 0, at = 0; i < d.NumberOfPartitionMaps; i++) {
    const length = table[at + 1] ?? 0;
    if (length < Type1PartitionMap.size || at + length > table.length)
      throw corrupt(`partition map ${i} of ${length} bytes in a table of ${table.length}`);
    within(`partition map ${i}`, () => maps.push(partitionMap(table.subarray(at, at + length), i)));
    at += length;
  }
  const uuid = sequence.primary && uuidOf(PrimaryVolumeDescriptor.read(sequence.primary).VolumeSetIdentifier);
  const label = dstring(d.LogicalVolumeIdentifier)?.replace(/[ \t\n\v\f\r]+$/, '');
  return {
    blockSize: sectorSize,
    maps,
    fileSet: d.LogicalVolumeContentsUse,
    ...(uuid === undefined ? {} : { uuid }),
    ...(label ? { label } : {}),
  };

  function partitionMap(b: Buffer, index: number): PartitionMap {
    const find = (number: number): Partition => {
      const descriptor = sequence.partitions.get(number);
      if (!descriptor) throw corrupt(`no descriptor of partition ${number}`);
      const p = PartitionDescriptor.read(descriptor);
      return { start: p.PartitionStartingLocation, blocks: p.PartitionLength };
    };
    if (b[0] === 1) {
      const { PartitionNumber } = Type1PartitionMap.read(b);
      below.set(PartitionNumber, index);
      return { kind: 'physical', partition: find(PartitionNumber) };
    }
    if (b[0] !== 2) throw unsupported(`partition map of kind ${b[0]}`);
    const m = Type2PartitionMap.read(b);
    const partition = find(m.PartitionNumber);
    const kind = m.PartitionTypeIdentifier.toString('latin1').replace(/\0.*$/s, '');
    switch (kind) {
      case '*UDF Virtual Partition':
        return { kind: 'virtual', partition };
      case '*UDF Sparable Partition': {
        if (m.PacketLength === 0) throw corrupt('packets of 0 blocks');
        below.set(m.PartitionNumber, index);
        const tables = m.LocationsOfSparingTables.slice(0, m.NumberOfSparingTables);
        return {
          kind: 'sparable',
          partition,
          packet: m.PacketLength,
          tableSize: m.SizeOfEachSparingTable,
          tables,
        };
      }
      case '*UDF Metadata Partition': {
        const on = below.get(m.PartitionNumber);
        if (on === undefined) throw corrupt(`no map of partition ${m.PartitionNumber} before it`);
        const files = [m.MetadataFileLocation, m.MetadataMirrorFileLocation] as const;
        return { kind: 'metadata', partition, below: on, files };
      }
      default:
        throw unsupported(`partition map '${printable(kind)}'`);
    }
  }
}
