/** Rock Ridge: what a record's System Use entries say of the file, and whether a disk has them. */
import { corrupt, limit, unsupported } from '../../lib/bytes/errors';
import { LIMITS } from '../../lib/bytes/limits';
import { type ByteString, fromBytes } from '../../lib/bytes/text';
import type { NodeKind } from '../../lib/fs/types';
import { longTime, shortTime } from './dates';
import type { IsoDisk } from './disk';
import {
  CHECK_BYTES,
  ChildLink,
  COMPONENT,
  NM,
  NM_AT,
  PosixAttributes,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  SharingProtocol,
  SIG,
  SL_AT,
  TF,
  TF_AT,
  XA_SIZE,
} from './layout';
import { readEntries } from './susp';

export interface RockRidge {
  /** Bytes of each System Use field before the first entry. */
  readonly skip: number;
}

export interface Attributes {
  /** Absent: the record's own identifier is the name. */
  readonly name?: ByteString;
  readonly kind?: NodeKind;
  readonly mtime?: number;
  /** SL entries as they are: `linkTarget` puts them together. */
  readonly link?: readonly Buffer[];
  /** Block of the directory that this record stands for: it was moved because it lay too deep. */
  readonly childBlock?: number;
  /** This is the moved directory in its new place, where nobody is to see it. */
  readonly relocated: boolean;
  /** ZF or Z2 entry: the contents are compressed. */
  readonly zisofs?: Buffer;
  /** SF entry: the contents are a table of pieces. */
  readonly sparse: boolean;
}

/**
 * What the root directory's own record says. As Linux does: an ER entry, whatever extension it names, means Rock Ridge;
 * without one its entries are believed when they are there and no Joliet tree is.
 */
export function detectRockRidge(disk: IsoDisk, systemUse: Buffer, joliet: boolean): RockRidge | undefined {
  for (const from of [0, XA_SIZE]) {
    if (from > systemUse.length) break;
    let skip: number | undefined;
    let certain = false;
    let probable = false;
    for (const entry of readEntries(disk, systemUse.subarray(from))) {
      switch (entry.readUInt16BE(0)) {
        case SIG.SP:
          if (entry.length >= SharingProtocol.size) {
            const sp = SharingProtocol.read(entry);
            if (sp.CheckBytes === CHECK_BYTES) skip = sp.LEN_SKP;
          }
          break;
        case SIG.ER:
          certain = true;
          break;
        case SIG.RR:
        case SIG.PX:
          probable = true;
      }
    }
    if (certain || (probable && !joliet)) return { skip: skip ?? from };
    if (skip !== undefined) return undefined;
  }
  return undefined;
}

/** @throws GuestError `corrupt` when continuation areas are */
export function readAttributes(disk: IsoDisk, rock: RockRidge, systemUse: Buffer): Attributes {
  const out: { -readonly [K in keyof Attributes]: Attributes[K] } = { relocated: false, sparse: false };
  const link: Buffer[] = [];
  for (const entry of readEntries(disk, systemUse.subarray(Math.min(rock.skip, systemUse.length)))) {
    switch (entry.readUInt16BE(0)) {
      case SIG.NM:
        // `.` and `..` have identifiers that say so; a name marked as one of them is not a name.
        if (entry.length > NM_AT && !(entry[NM_AT - 1]! & (NM.current | NM.parent)))
          out.name = extended(disk, out.name ?? '', fromBytes(entry.subarray(NM_AT)));
        break;
      case SIG.PX:
        if (entry.length >= PosixAttributes.size) out.kind = kindOf(PosixAttributes.read(entry).st_mode);
        break;
      case SIG.TF:
        out.mtime = modified(entry) ?? out.mtime;
        break;
      case SIG.SL:
        link.push(entry);
        break;
      case SIG.CL:
        if (entry.length >= ChildLink.size) out.childBlock = ChildLink.read(entry).LocationOfChildDirectory;
        break;
      case SIG.RE:
        out.relocated = true;
        break;
      case SIG.ZF:
      case SIG.Z2:
        out.zisofs = entry;
        break;
      case SIG.SF:
        out.sparse = true;
    }
  }
  if (link.length > 0) out.link = link;
  return out;
}

function extended(disk: IsoDisk, name: ByteString, part: ByteString): ByteString {
  if (name.length + part.length <= LIMITS.nameBytes) return name + part;
  disk.warnOnce('NM length', `a name of more than ${LIMITS.nameBytes} bytes is cut`);
  return name;
}

function kindOf(mode: number): NodeKind {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return 'file';
    case S_IFDIR:
      return 'directory';
    case S_IFLNK:
      return 'symlink';
    default:
      return 'other';
  }
}

/** The stamps stand in the order of their flags' bits; the second is the modification. */
function modified(entry: Buffer): number | undefined {
  if (entry.length < TF_AT) return undefined;
  const flags = entry[TF_AT - 1]!;
  if (!(flags & TF.modify)) return undefined;
  const size = flags & TF.longForm ? 17 : 7;
  const at = TF_AT + (flags & TF.creation ? size : 0);
  if (at + size > entry.length) return undefined;
  return flags & TF.longForm ? longTime(entry, at) : shortTime(entry, at);
}

/**
 * A symbolic link's target out of its SL entries.
 * @throws GuestError `corrupt`, `limit` when it is too long, `unsupported` for reserved components
 */
export function linkTarget(entries: readonly Buffer[]): ByteString {
  const parts: ByteString[] = [];
  let length = 0;
  /** A component came before, and another one is a new component. */
  let separate = false;
  const add = (part: ByteString) => {
    length += part.length;
    if (length > LIMITS.pathBytes) throw limit(`symbolic link of more than ${LIMITS.pathBytes} bytes`);
    parts.push(part);
  };
  for (const entry of entries) {
    for (let at = SL_AT; at < entry.length; ) {
      if (at + 2 > entry.length || at + 2 + entry[at + 1]! > entry.length)
        throw corrupt(`component of a symbolic link reaches beyond its SL entry of ${entry.length} bytes`);
      const flags = entry[at]!;
      const end = at + 2 + entry[at + 1]!;
      if (separate) add('/');
      switch (flags & ~COMPONENT.continues) {
        case 0:
          add(fromBytes(entry.subarray(at + 2, end)));
          break;
        case COMPONENT.current:
          add('.');
          break;
        case COMPONENT.parent:
          add('..');
          break;
        case COMPONENT.root:
          add('/');
          break;
        default:
          throw unsupported(`component of a symbolic link with flags 0x${flags.toString(16)}`);
      }
      separate = !(flags & (COMPONENT.continues | COMPONENT.root));
      at = end;
    }
  }
  return parts.join('');
}
