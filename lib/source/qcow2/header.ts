/** The head of a qcow2 image, raw → checked. */
import type { Context } from '../../bytes/budget';
import { corrupt, unsupported } from '../../bytes/errors';
import { type ByteString, fromBytes, printable } from '../../bytes/text';
import type { Reference } from '../format';
import { type BlockSource, readBytes } from '../types';
import {
  COMPRESSION_TYPE,
  EXTENSION,
  ExtensionHeader,
  FEATURE_NAME_BYTES,
  Header,
  Header3,
  INCOMPATIBLE,
  KNOWN,
  MAGIC,
  MAX_CLUSTER_BITS,
  MAX_HEAD,
  MAX_L1_ENTRIES,
  MAX_NAME,
  MIN_CLUSTER_BITS,
  MIN_EXTENDED_CLUSTER_BITS,
} from './layout';

export interface Head {
  readonly version: 2 | 3;
  /** Bytes. */
  readonly size: number;
  readonly clusterBits: number;
  readonly l1: { readonly at: number; readonly entries: number };
  readonly snapshots: { readonly at: number; readonly count: number };
  readonly dirty: boolean;
  readonly corrupt: boolean;
  readonly extended: boolean;
  readonly zstd: boolean;
  readonly backing: Reference | undefined;
  readonly dataFile: Reference | undefined;
}

/** @throws GuestError `corrupt`, or `unsupported` for encryption and for features that are not known here */
export function readHead(file: BlockSource, ctx: Context): Head {
  const { label } = file;
  const head = readBytes(file, 0, Math.min(file.size, MAX_HEAD), ctx);
  const h = Header.read(head);
  if (h.magic !== MAGIC || (h.version !== 2 && h.version !== 3))
    throw h.magic === MAGIC && h.version > 3
      ? unsupported(`qcow2 of version ${h.version}`, label)
      : corrupt('not a qcow2 image', label);
  const clusterBits = h.cluster_bits;
  if (clusterBits < MIN_CLUSTER_BITS || clusterBits > MAX_CLUSTER_BITS)
    throw corrupt(
      `clusters of 2^${clusterBits} bytes, allowed 2^${MIN_CLUSTER_BITS} to 2^${MAX_CLUSTER_BITS}`,
      label,
    );
  let features = 0n;
  let headerLength: number = Header.size;
  if (h.version === 3) {
    const h3 = Header3.read(head);
    features = h3.incompatible_features;
    headerLength = h3.header_length;
    if (headerLength < Header3.size || headerLength % 8 !== 0 || headerLength > 2 ** clusterBits)
      throw corrupt(`header of ${headerLength} bytes`, label);
  }
  const extensions = readExtensions(head, headerLength, h.backing_file_offset, label);
  const unknown = features & ~KNOWN;
  if (unknown !== 0n)
    throw unsupported(
      `needs features that are not known here: ${names(unknown, extensions.featureNames)}`,
      label,
    );
  if (h.crypt_method !== 0)
    throw unsupported(
      `is encrypted (${h.crypt_method === 1 ? 'AES' : h.crypt_method === 2 ? 'LUKS' : `method ${h.crypt_method}`})`,
      label,
    );
  const extended = (features & INCOMPATIBLE.extendedL2) !== 0n;
  if (extended && clusterBits < MIN_EXTENDED_CLUSTER_BITS)
    throw corrupt(`subclusters in clusters of 2^${clusterBits} bytes`, label);
  let compression = 0;
  if (features & INCOMPATIBLE.compressionType) {
    if (headerLength <= COMPRESSION_TYPE.at) throw corrupt('a compression type beyond the header', label);
    compression = COMPRESSION_TYPE.read(head, 0);
  }
  if (compression > 1) throw unsupported(`compression type ${compression}`, label);
  if (h.l1_size > MAX_L1_ENTRIES)
    throw corrupt(`L1 table of ${h.l1_size} entries, maximum ${MAX_L1_ENTRIES}`, label);
  let dataFile: Reference | undefined;
  if (features & INCOMPATIBLE.dataFile) {
    if (extensions.dataFile === undefined) throw corrupt('its data file is not named', label);
    dataFile = { what: 'data file', name: extensions.dataFile, format: 'raw' };
  }
  return {
    version: h.version,
    size: h.size,
    clusterBits,
    l1: { at: h.l1_table_offset, entries: h.l1_size },
    snapshots: { at: h.snapshots_offset, count: h.nb_snapshots },
    dirty: (features & INCOMPATIBLE.dirty) !== 0n,
    corrupt: (features & INCOMPATIBLE.corrupt) !== 0n,
    extended,
    zstd: compression === 1,
    backing: backingFile(file, h.backing_file_offset, h.backing_file_size, extensions.backingFormat, ctx),
    dataFile,
  };
}

function backingFile(
  file: BlockSource,
  at: number,
  length: number,
  format: ByteString | undefined,
  ctx: Context,
): Reference | undefined {
  if (at === 0) return undefined;
  if (length > MAX_NAME)
    throw corrupt(`backing file's name of ${length} bytes, maximum ${MAX_NAME}`, file.label);
  if (length === 0) return undefined;
  return { what: 'backing file', name: fromBytes(readBytes(file, at, length, ctx)), format };
}

interface Extensions {
  backingFormat?: ByteString;
  dataFile?: ByteString;
  featureNames?: Buffer;
}

/** The extensions end with one of type 0, or where the backing file's name or the first cluster's known part ends. */
function readExtensions(head: Buffer, start: number, nameAt: number, label: string): Extensions {
  const found: Extensions = {};
  const end = nameAt > 0 ? Math.min(nameAt, head.length) : head.length;
  for (let at = start; at + ExtensionHeader.size <= end; ) {
    const { type, length } = ExtensionHeader.read(head, at);
    at += ExtensionHeader.size;
    if (type === EXTENSION.end) break;
    if (at + length > end)
      throw corrupt(
        `header extension 0x${type.toString(16)} of ${length} bytes goes beyond the header`,
        label,
      );
    const data = head.subarray(at, at + length);
    if (type === EXTENSION.backingFormat) found.backingFormat = fromBytes(data);
    else if (type === EXTENSION.dataFile) found.dataFile = fromBytes(data);
    else if (type === EXTENSION.featureNames) found.featureNames = data;
    at += Math.ceil(length / 8) * 8;
  }
  return found;
}

/** `encrypted L3 (bit 9), bit 12` */
function names(bits: bigint, table: Buffer | undefined): string {
  const known = new Map<number, string>();
  for (let at = 0; table && at + FEATURE_NAME_BYTES <= table.length; at += FEATURE_NAME_BYTES) {
    const name = fromBytes(table.subarray(at + 2, at + FEATURE_NAME_BYTES)).replace(/\0.*$/s, '');
    if (table[at] === 0) known.set(table[at + 1]!, printable(name));
  }
  const all: string[] = [];
  for (let bit = 0; bit < 64; bit++) {
    if (((bits >> BigInt(bit)) & 1n) === 0n) continue;
    const name = known.get(bit);
    all.push(name ? `${name} (bit ${bit})` : `bit ${bit}`);
  }
  return all.join(', ');
}
