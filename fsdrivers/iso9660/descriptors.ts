/** Volume descriptors: raw → checked roots of the directory trees that the disk has. */
import type { Context } from '../../lib/bytes/budget';
import { corrupt } from '../../lib/bytes/errors';
import { type ByteString, fromBytes, fromHost } from '../../lib/bytes/text';
import { type BlockSource, readBytes } from '../../lib/source/types';
import { dateUuid } from './dates';
import {
  BLOCK_SIZES,
  DirectoryRecord,
  ENHANCED_VERSION,
  FIRST_DESCRIPTOR,
  JOLIET_ESCAPES,
  MAX_DESCRIPTORS,
  SECTOR,
  STANDARD_IDENTIFIER,
  TYPE,
  VolumeDescriptor,
} from './layout';

export type TreeKind = 'primary' | 'Joliet' | 'enhanced';

/** One descriptor with a root directory; nothing in it is checked against the disk yet. */
export interface Tree {
  readonly kind: TreeKind;
  /** Bytes, as recorded: `checkedBlockSize` says whether it is one. */
  readonly blockSize: number;
  /** Block of the root directory, the blocks of its extended attribute record included. */
  readonly rootBlock: number;
  /** Bytes of the root directory. */
  readonly rootSize: number;
  readonly uuid: string | undefined;
  readonly label: ByteString | undefined;
  /** Numbers whose two byte orders disagree, by name. */
  readonly disagreeing: readonly string[];
}

export type Trees = Partial<Record<TreeKind, Tree>>;

/** @returns undefined when there is no ISO 9660 descriptor with a root directory */
export function readTrees(source: BlockSource, ctx: Context): Trees | undefined {
  const trees: Trees = {};
  for (let i = 0; i < MAX_DESCRIPTORS; i++) {
    const at = FIRST_DESCRIPTOR + i * SECTOR;
    if (at + SECTOR > source.size) break;
    const d = VolumeDescriptor.read(readBytes(source, at, SECTOR, ctx));
    if (d.StandardIdentifier.toString('latin1') !== STANDARD_IDENTIFIER) break;
    if (d.VolumeDescriptorType === TYPE.terminator) break;
    const kind = kindOf(d);
    // Of several the first counts, as in Linux.
    if (kind && !trees[kind]) trees[kind] = treeOf(kind, d);
  }
  return Object.keys(trees).length > 0 ? trees : undefined;
}

type Raw = ReturnType<typeof VolumeDescriptor.read>;

function kindOf(d: Raw): TreeKind | undefined {
  if (d.VolumeDescriptorType === TYPE.primary) return 'primary';
  if (d.VolumeDescriptorType !== TYPE.supplementary) return undefined;
  const level = d.EscapeSequences.toString('latin1', 0, 3);
  if ((JOLIET_ESCAPES as readonly string[]).includes(level)) return 'Joliet';
  return d.VolumeDescriptorVersion === ENHANCED_VERSION ? 'enhanced' : undefined;
}

function treeOf(kind: TreeKind, d: Raw): Tree {
  const root = DirectoryRecord.read(d.DirectoryRecordForRootDirectory);
  const disagreeing: string[] = [];
  const same = (what: string, le: number, be: number) => {
    if (le !== be) disagreeing.push(`${what} (${le} and ${be})`);
  };
  same('block size', d.LogicalBlockSize, d.LogicalBlockSizeBE);
  same('root directory', root.LocationOfExtent, root.LocationOfExtentBE);
  same('size of the root directory', root.DataLength, root.DataLengthBE);
  return {
    kind,
    blockSize: d.LogicalBlockSize,
    rootBlock: root.LocationOfExtent + root.ExtendedAttributeRecordLength,
    rootSize: root.DataLength,
    uuid: dateUuid(d.VolumeModificationDateAndTime) ?? dateUuid(d.VolumeCreationDateAndTime),
    label: labelOf(kind, d.VolumeIdentifier),
    disagreeing,
  };
}

function labelOf(kind: TreeKind, b: Buffer): ByteString | undefined {
  const text = kind === 'Joliet' ? fromHost(Buffer.from(b).swap16().toString('utf16le')) : fromBytes(b);
  const end = text.indexOf('\0');
  const label = (end < 0 ? text : text.slice(0, end)).replace(/ +$/, '');
  return label === '' ? undefined : label;
}

/** @throws GuestError `corrupt` */
export function checkedBlockSize(tree: Tree): number {
  if (!(BLOCK_SIZES as readonly number[]).includes(tree.blockSize))
    throw corrupt(
      `logical blocks of ${tree.blockSize} bytes, allowed ${BLOCK_SIZES.join(', ')}`,
      `${tree.kind} descriptor`,
    );
  return tree.blockSize;
}
