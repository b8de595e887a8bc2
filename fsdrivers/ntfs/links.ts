/** What files and directories stand for that are neither: reparse points, and the special files of Interix. */
import { corrupt, unsupported } from '../../lib/bytes/errors';
import { LIMITS } from '../../lib/bytes/limits';
import { type ByteString, fromBytes } from '../../lib/bytes/text';
import { fromUtf16 } from '../../lib/bytes/utf16';
import type { NodeKind } from '../../lib/fs/types';
import {
  INTX_DEVICES,
  INTX_LINK,
  ReparseNames,
  ReparsePoint,
  TAG,
  TAG_CLOUD,
  TAG_NAMES,
  TAGS_SPECIAL,
} from './layout';

/** [MS-FSCC] 2.1.2.6: links and special files that came by NFS. */
const NFS_LINK = 'LNK';
const NFS_SPECIAL: readonly string[] = ['CHR', 'BLK', 'FIFO', 'SOCK'];

const nfsType = (data: Buffer): string => data.toString('latin1', 8, 16).replace(/\0+$/, '');

/** The kind that a reparse point makes of a file or directory; undefined: it stays one. */
export function reparseKind(data: Buffer): NodeKind | undefined {
  const { reparse_tag: tag } = ReparsePoint.read(data);
  if (tag === TAG.symlink || tag === TAG.mountPoint || tag === TAG.lxSymlink) return 'symlink';
  if (TAGS_SPECIAL.includes(tag)) return 'other';
  if (tag === TAG.nfs) {
    const type = nfsType(data);
    return type === NFS_LINK ? 'symlink' : NFS_SPECIAL.includes(type) ? 'other' : undefined;
  }
  return undefined;
}

/** Why the file's own bytes are not what the file holds. */
export function elsewhere(data: Buffer): string {
  const { reparse_tag: tag } = ReparsePoint.read(data);
  const what =
    TAG_NAMES[tag] ?? ((tag & TAG_CLOUD.mask) >>> 0 === TAG_CLOUD.value ? 'cloud files' : undefined);
  return `its data is kept by ${what ?? 'a program of Windows'} (reparse tag 0x${tag.toString(16)})`;
}

/**
 * The target as a path of this filesystem.
 * @throws GuestError `corrupt`, `unsupported` for shares of the network
 */
export function reparseTarget(data: Buffer): ByteString {
  const { reparse_tag: tag, reparse_data_length: length } = ReparsePoint.read(data);
  const end = ReparsePoint.size + length;
  if (end > data.length) throw corrupt(`reparse point of ${length} bytes in ${data.length}`);
  // A version of four bytes, then UTF-8.
  if (tag === TAG.lxSymlink) return checked(fromBytes(data.subarray(ReparsePoint.size + 4, end)));
  if (tag === TAG.nfs) return checked(utf16(data, 16, end - 16, end));
  const names = ReparseNames.read(data);
  const text = tag === TAG.symlink ? 20 : ReparseNames.size;
  return checked(windowsPath(utf16(data, text + names.sub_name_offset, names.sub_name_length, end)));
}

function utf16(data: Buffer, at: number, length: number, end: number): ByteString {
  if (length < 0 || at + length > end) throw corrupt(`link target of ${length} bytes at ${at} of ${end}`);
  return fromUtf16(data, at, length >>> 1);
}

/** `\??\C:\boot\x`, `\??\Volume{…}\boot\x`, `C:\boot\x` → `/boot/x`: there is no other volume. `..\x` → `../x`. */
function windowsPath(target: ByteString): ByteString {
  const path = target.replace(/\\/g, '/');
  if (/^(\/\?\?)?\/\/?UNC\//i.test(path) || /^\/\/[^?]/.test(path))
    throw unsupported('a link to a share of the network');
  const local = path.replace(/^\/[?\\/]\?\//, '').replace(/^([a-z]:|Volume\{[^}/]*\})/i, '');
  return local === '' || (local !== path && !local.startsWith('/')) ? `/${local}` : local;
}

/** The kind of a system file by the beginning of its data and its size, as Interix and ntfs-3g have it. */
export function interixKind(head: Buffer, size: number, isHidden: boolean): NodeKind | undefined {
  // A FIFO, a socket.
  if (size <= 1) return isHidden ? undefined : 'other';
  const magic = head.toString('latin1', 0, 8);
  return magic === INTX_LINK ? 'symlink' : INTX_DEVICES.includes(magic) ? 'other' : undefined;
}

export const interixTarget = (data: Buffer): ByteString =>
  checked(fromUtf16(data, INTX_LINK.length, (data.length - INTX_LINK.length) >>> 1));

/** Bytes that the data of a link of Interix has at most. */
export const INTERIX_MOST = INTX_LINK.length + 2 * LIMITS.pathBytes;

function checked(target: ByteString): ByteString {
  if (target.includes('\0')) throw corrupt('a link with a zero byte in it');
  return target;
}
