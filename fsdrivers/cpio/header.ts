/** A member's header, of whichever format: what all of them say. */
import { corrupt } from '../../lib/bytes/errors';
import { type ByteString, fromBytes } from '../../lib/bytes/text';
import type { Window } from '../../lib/fs/archive';
import type { NodeKind } from '../../lib/fs/types';
import {
  BINARY,
  BinaryHeader,
  CRC,
  MAGIC_SIZE,
  NAME_MOST,
  NEWC,
  NewcHeader,
  ODC,
  OdcHeader,
  S_IF,
  S_IFMT,
} from './layout';

export type Format = 'newc' | 'crc' | 'odc' | 'binary' | 'binary-be';

export interface Header {
  readonly format: Format;
  /** Undefined: longer than a path can be. */
  readonly name: ByteString | undefined;
  readonly mode: number;
  readonly size: number;
  readonly mtime: number;
  readonly links: number;
  /** Of the file, among those of the same archive. */
  readonly identity: string;
  /** Sum of the data's bytes (crc). */
  readonly sum?: number;
  readonly dataAt: number;
  /** Where the next header is. */
  readonly next: number;
}

const KINDS: Readonly<Record<number, NodeKind>> = {
  [S_IF.directory]: 'directory',
  [S_IF.file]: 'file',
  [S_IF.link]: 'symlink',
};

export const kindOf = (mode: number): NodeKind => KINDS[mode & S_IFMT] ?? 'other';

/** Whether `c_mode` has a kind that exists. */
export const isKind = (mode: number): boolean => Object.values<number>(S_IF).includes(mode & S_IFMT);

/** Headers and data begin at multiples of this. */
const ALIGN: Readonly<Record<Format, number>> = { newc: 4, crc: 4, odc: 1, binary: 2, 'binary-be': 2 };

/** The format whose header may begin at `at`, by its magic number. */
export function formatAt(window: Window, at: number): Format | undefined {
  if (at + MAGIC_SIZE > window.source.size) return undefined;
  const format = byMagic(window.take(at, MAGIC_SIZE));
  return format && at % ALIGN[format] === 0 ? format : undefined;
}

function byMagic(bytes: Buffer): Format | undefined {
  if (bytes.readUInt16LE(0) === BINARY) return 'binary';
  if (bytes.readUInt16BE(0) === BINARY) return 'binary-be';
  const magic = fromBytes(bytes);
  return magic === NEWC ? 'newc' : magic === CRC ? 'crc' : magic === ODC ? 'odc' : undefined;
}

/** @throws GuestError `corrupt`: digits that are none, names without end, beyond the end */
export function readHeader(window: Window, format: Format, at: number): Header {
  const { headSize, nameSize, fileSize, ...rest } = fixedPart(window, format, at);
  const align = ALIGN[format];
  if (nameSize < 1) throw corrupt('a name of 0 bytes');
  const aligned = (place: number) => Math.ceil(place / align) * align;
  const dataAt = aligned(at + headSize + nameSize);
  const next = aligned(dataAt + fileSize);
  let name: ByteString | undefined;
  if (nameSize <= NAME_MOST) {
    const bytes = window.take(at + headSize, nameSize);
    const end = bytes.indexOf(0);
    if (end < 0) throw corrupt(`a name of ${nameSize} bytes without its end`);
    name = fromBytes(bytes.subarray(0, end));
  }
  return { format, name, ...rest, size: fileSize, dataAt, next };
}

function fixedPart(window: Window, format: Format, at: number) {
  switch (format) {
    case 'newc':
    case 'crc': {
      const h = NewcHeader.read(window.take(at, NewcHeader.size));
      return {
        headSize: NewcHeader.size,
        nameSize: h.c_namesize,
        fileSize: h.c_filesize,
        mode: h.c_mode,
        mtime: h.c_mtime,
        links: h.c_nlink,
        identity: `${h.c_maj}:${h.c_min}:${h.c_ino}`,
        ...(format === 'crc' ? { sum: h.c_chksum } : {}),
      };
    }
    case 'odc': {
      const h = OdcHeader.read(window.take(at, OdcHeader.size));
      return {
        headSize: OdcHeader.size,
        nameSize: h.c_namesize,
        fileSize: h.c_filesize,
        mode: h.c_mode,
        mtime: h.c_mtime,
        links: h.c_nlink,
        identity: `${h.c_dev}:${h.c_ino}`,
      };
    }
    default: {
      const Header = BinaryHeader[format === 'binary' ? 'little' : 'big'];
      const h = Header.read(window.take(at, Header.size));
      return {
        headSize: Header.size,
        nameSize: h.c_namesize,
        fileSize: h.c_filesize_high * 65536 + h.c_filesize_low,
        mode: h.c_mode,
        mtime: h.c_mtime_high * 65536 + h.c_mtime_low,
        links: h.c_nlink,
        identity: `${h.c_dev}:${h.c_ino}`,
      };
    }
  }
}
