/** The raw disk: a regular file or a block device of the host's, read-only, by descriptor. */
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readFileSync,
  readSync,
  readvSync,
  type Stats,
  statSync,
} from 'node:fs';
import { GuestError, hostError, unsupported } from '../bytes/errors';
import { fromHost, printable } from '../bytes/text';
import { type BlockSource, checkRange, totalLength } from './types';

export interface DiskGeometry {
  /** Bytes. */
  readonly size: number;
  /** Logical sector size in bytes; 512 for a regular file, whose true one nobody knows. */
  readonly sectorSize: number;
}

/** Linux moves at most 0x7ffff000 bytes in one read; Node refuses more than 2^31-1. */
const MAX_READ = 0x7fff_f000;

export class FileSource implements BlockSource {
  readonly label: string;
  readonly fd: number;
  readonly size: number;
  readonly sectorSize: number;
  readonly isBlockDevice: boolean;
  /** Calls of read(2) so far. */
  reads = 0;
  /** Bytes that they returned. */
  bytesRead = 0;
  #open = true;

  /**
   * @param fd open for reading; from here on this object's to close
   * @param label printable
   * @param known what was found out before privileges were dropped; without it the host is asked
   * @throws GuestError `unsupported` when `fd` is neither a regular file nor a block device, `io`
   */
  constructor(fd: number, label: string, known?: DiskGeometry) {
    this.fd = fd;
    this.label = label;
    const stat = askHost(label, () => fstatSync(fd));
    mustBeDisk(stat, label);
    this.isBlockDevice = stat.isBlockDevice();
    const geometry = known ?? (this.isBlockDevice ? deviceGeometry(fd, stat.rdev, label) : undefined);
    this.size = geometry?.size ?? stat.size;
    this.sectorSize = geometry?.sectorSize ?? 512;
  }

  read(at: number, into: Uint8Array): void {
    checkRange(this, at, into.length);
    let done = 0;
    while (done < into.length) {
      const got = pread(this.fd, into, done, Math.min(into.length - done, MAX_READ), at + done, this.label);
      this.reads++;
      // The file was cut behind our back; the guest's toolstack must hear of it.
      if (got === 0) throw new GuestError('io', `ends at byte ${at + done} of ${this.size}`, [this.label]);
      this.bytesRead += got;
      done += got;
    }
  }

  readMany(at: number, into: readonly Uint8Array[]): void {
    const length = totalLength(into);
    checkRange(this, at, length);
    this.reads++;
    let got = 0;
    try {
      got = readvSync(this.fd, into, at);
    } catch {
      // Buffer by buffer below, where the error is told with its place.
    }
    if (got === length) this.bytesRead += got;
    else {
      let place = at;
      for (const buffer of into) {
        this.read(place, buffer);
        place += buffer.length;
      }
    }
  }

  /** May be called twice. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    closeSync(this.fd);
  }
}

/**
 * Opens a disk read-only. What could block or has no size (FIFO, socket, character device, directory) is refused
 * before it is opened, and looked at again afterwards.
 * @param path the host's path; symbolic links are followed, as `/dev/disk/by-id` needs
 * @throws GuestError `unsupported` for what is not a disk, `io` when the host refuses
 */
export function openDisk(path: string): FileSource {
  const label = labelOf(path);
  mustBeDisk(
    askHost(label, () => statSync(path)),
    label,
  );
  const fd = askHost(label, () => openSync(path, constants.O_RDONLY | constants.O_NOCTTY));
  try {
    return new FileSource(fd, label);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** What messages call a disk: its file's name, printable. */
export const labelOf = (path: string): string =>
  printable(fromHost(path.replace(/\/+$/, '').replace(/^.*\//, '') || path));

function askHost<T>(label: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw hostError(`cannot open ${label}`, error);
  }
}

function mustBeDisk(stat: Stats, label: string): void {
  if (stat.isFile() || stat.isBlockDevice()) return;
  const kind = stat.isDirectory()
    ? 'a directory'
    : stat.isFIFO()
      ? 'a FIFO'
      : stat.isSocket()
        ? 'a socket'
        : 'a character device';
  throw unsupported(`cannot open ${label}: it is ${kind}, not a disk image or a block device`);
}

function pread(fd: number, into: Uint8Array, offset: number, length: number, at: number, label: string) {
  for (;;) {
    try {
      return readSync(fd, into, offset, length, at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EINTR') continue;
      throw hostError(`cannot read ${length} bytes at ${at} of ${label}`, error);
    }
  }
}

/** `st_rdev` → `8:1`. Encoding: glibc's gnu_dev_major/minor (sys/sysmacros.h). */
export function deviceNumber(rdev: number): string {
  const low = (rdev % 0x1_0000_0000) >>> 0;
  const high = Math.floor(rdev / 0x1_0000_0000);
  const major = ((low >>> 8) & 0xfff) + (high & 0xffff_f000);
  const minor = (low & 0xff) + ((low >>> 12) & 0xfff00) + (high & 0xfff) * 0x10_0000;
  return `${major}:${minor}`;
}

/** A block device's st_size is 0: sysfs knows, and where there is none (a container) the device itself is asked. */
function deviceGeometry(fd: number, rdev: number, label: string): DiskGeometry {
  const sys = `/sys/dev/block/${deviceNumber(rdev)}`;
  // The kernel counts in 512-byte units here whatever the sector size (block/genhd.c).
  const sectors = sysNumber(`${sys}/size`);
  // `..` of the symlink's target: a partition's disk has the queue. Not through path.join, which would cut it.
  const sectorSize =
    sysNumber(`${sys}/queue/logical_block_size`) ?? sysNumber(`${sys}/../queue/logical_block_size`);
  const one = Buffer.alloc(1);
  return {
    size:
      sectors !== undefined ? sectors * 512 : sizeByReading((at) => pread(fd, one, 0, 1, at, label) === 1),
    sectorSize: sectorSize ?? 512,
  };
}

function sysNumber(path: string): number | undefined {
  try {
    const text = readFileSync(path, 'latin1').trim();
    return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The size of something that can only be read, in whole 512-byte units (about 100 reads of one byte).
 * @param exists whether there is a byte at this place
 */
export function sizeByReading(exists: (at: number) => boolean): number {
  if (!exists(0)) return 0;
  let inside = 0; // exists, in units
  let outside = 1;
  const last = 2 ** 44; // 2^53 bytes
  while (outside < last && exists(outside * 512)) {
    inside = outside;
    outside *= 2;
  }
  while (outside - inside > 1) {
    const middle = Math.floor((inside + outside) / 2);
    if (exists(middle * 512)) inside = middle;
    else outside = middle;
  }
  return outside * 512;
}
