/** The disks of a guest, their tables, and what each volume holds. */
import { bytesAt } from '../../fsdrivers';
import type { Disk, Guest, Volume } from '../boot/guest';
import type { Context } from '../bytes/budget';
import { toUnicode } from '../bytes/text';
import type { CacheSource } from '../source/cache';
import type { FileSource } from '../source/file';
import type { BlockSource } from '../source/types';
import { contentBesideTable, contentOf, type Memberships } from './content';
import { declaredRows, extendedRows, gptMadeFor } from './declared';
import type { Content, DiskFacts, PartitionFacts, TableFacts } from './document';
import { elTorito } from './eltorito';
import { bootCode } from './magics';
import { typeName } from './partition-types';

/** A disk as it was given: the host's path, what was opened, and the format that is named for it. */
export interface GivenDisk {
  readonly path: string;
  readonly source: BlockSource;
  readonly format: string | undefined;
}

export interface Surveyed {
  readonly disks: readonly DiskFacts[];
  readonly contents: ReadonlyMap<Volume, Content>;
}

export function survey(guest: Guest, given: readonly GivenDisk[], sets: Memberships, ctx: Context): Surveyed {
  const contents = new Map<Volume, Content>();
  const disks = [...guest.everyDisk()].map((disk) =>
    diskFacts(guest, disk, given[guest.disks.indexOf(disk)], sets, contents, ctx),
  );
  return { disks, contents };
}

function diskFacts(
  guest: Guest,
  disk: Disk,
  given: GivenDisk | undefined,
  sets: Memberships,
  contents: Map<Volume, Content>,
  ctx: Context,
): DiskFacts {
  const { source } = disk.whole;
  const table = tableFacts(guest, disk, sets, contents, ctx);
  const content = table
    ? contentBesideTable(disk.whole, sets, ctx)
    : contentOf(disk.whole, sets, given !== undefined, ctx);
  if (content) contents.set(disk.whole, content);
  const sector = given && firstSector(source);
  return {
    name: toUnicode(disk.name),
    kind: given ? 'disk' : disk.name.startsWith('md/') ? 'array' : disk.of ? 'decrypted' : 'logical-volume',
    path: given?.path ?? null,
    format: given ? formatOf(given, source) : null,
    blockDevice: (given?.source as Partial<FileSource> | undefined)?.isBlockDevice ?? false,
    fileSize: given?.source.size ?? null,
    size: source.size,
    sectorSize: source.sectorSize,
    bootCode: sector ? bootCode(sector) : null,
    table,
    content,
    elTorito: given ? elTorito(source, ctx) : [],
  };
}

function firstSector(source: BlockSource): Buffer | undefined {
  const sector = bytesAt(source, 0, 512);
  return sector?.readUInt16LE(510) === 0xaa55 ? sector : undefined;
}

/** What the disk was read as. A raw disk's cache stands on the file itself; anything else on a format's reader. */
function formatOf({ source: file, format }: GivenDisk, disk: BlockSource): string {
  let below: unknown = disk;
  while (below && below !== file) below = (below as Partial<CacheSource>).parent;
  if (below === file) return 'raw';
  const { detectFormat } = require('../source') as typeof import('../source');
  return format ?? detectFormat(file) ?? 'raw';
}

function tableFacts(
  guest: Guest,
  disk: Disk,
  sets: Memberships,
  contents: Map<Volume, Content>,
  ctx: Context,
): TableFacts | null {
  const { scheme, whole } = disk;
  if (scheme === undefined) return null;
  const declared = declaredRows(guest, whole.source);
  const rows: PartitionFacts[] = disk.partitions.map((volume) => {
    const p = volume.partition!;
    const same = declared.find((d) => d.number === p.number && d.start === p.start && d.nested === p.nested);
    const content = contentOf(volume, sets, false, ctx);
    contents.set(volume, content);
    return {
      name: toUnicode(volume.name),
      device: p.nested ? null : deviceName(disk, p.number),
      number: p.number,
      start: p.start,
      size: p.size,
      declaredSize: Math.max(same?.size ?? p.size, p.size),
      type: p.type,
      typeName: p.nested ? null : typeName(scheme, p.type),
      uuid: p.uuid ?? null,
      label: p.label === undefined ? null : toUnicode(p.label),
      flags: p.active && !p.nested ? ['active'] : [],
      content,
    };
  });
  const row = (
    p: (typeof declared)[number],
    flags: PartitionFacts['flags'],
    size: number,
  ): PartitionFacts => ({
    name: `${toUnicode(disk.name)},${scheme}${p.number}`,
    device: deviceName(disk, p.number),
    number: p.number,
    start: p.start,
    size,
    declaredSize: p.size,
    type: p.type,
    typeName: typeName(scheme, p.type),
    uuid: p.uuid ?? null,
    label: p.label === undefined ? null : toUnicode(p.label),
    flags: p.active ? [...flags, 'active'] : flags,
    content: null,
  });
  for (const p of declared)
    if (!p.nested && p.start >= whole.source.size) rows.push(row(p, ['beyond-end'], 0));
  if (scheme === 'msdos')
    for (const p of extendedRows(whole.source, unitOf(disk, declared), ctx))
      rows.push(row(p, ['extended'], Math.max(0, Math.min(p.size, whole.source.size - p.start))));
  return {
    scheme,
    id: disk.id ?? null,
    partitions: rows.sort((a, b) => a.number - b.number || b.flags.length - a.flags.length),
    madeFor: scheme === 'gpt' ? gptMadeFor(whole.source, ctx) : null,
  };
}

/** Bytes of the sectors that an MBR counts in: by its first row, whose place in sectors and in bytes is known. */
function unitOf(disk: Disk, declared: readonly { number: number; start: number }[]): number {
  const first = declared.find((p) => p.number <= 4);
  const at = first && bytesAt(disk.whole.source, 446 + 16 * (first.number - 1) + 8, 4)?.readUInt32LE(0);
  return first && at ? first.start / at : 512;
}

/** `xvda1`; arrays and the insides of volumes have other names. */
function deviceName(disk: Disk, number: number): string | null {
  const n = /^hd(\d+)$/.exec(disk.name);
  return n && Number(n[1]) < 26 ? `xvd${String.fromCharCode(97 + Number(n[1]))}${number}` : null;
}
