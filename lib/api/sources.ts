/** What the library reads disks from: host files, NBD servers, the caller's own sources. */
import { GuestError } from '../bytes/errors';
import type { Limits } from '../bytes/limits';
import { fromHost, printable } from '../bytes/text';
import type { ImageOptions } from '../cli/image';

import type { Options } from '../cli/options';
import type { ImageChoice, Member } from '../source';
import { FileSource, openDisk } from '../source/file';
import { type BlockSource, NBD_URI } from '../source/types';
import type { DiskSource, OpenOptions } from './public';

/** Bytes of the caller's. What it throws is the host's failure, whatever it is. */
class CallerSource implements BlockSource {
  readonly label: string;
  readonly size: number;
  readonly sectorSize: number;

  constructor(
    readonly from: DiskSource,
    readonly name: string,
  ) {
    const { size, sectorSize = 512 } = from;
    if (!Number.isSafeInteger(size) || size < 0) throw new TypeError(`${name}: its size is ${size}`);
    if (!Number.isSafeInteger(sectorSize) || sectorSize < 512)
      throw new TypeError(`${name}: its sectorSize is ${sectorSize}`);
    if (typeof from.read !== 'function') throw new TypeError(`${name}: it has no read()`);
    this.label = printable(fromHost(name));
    this.size = size;
    this.sectorSize = sectorSize;
  }

  read(at: number, into: Uint8Array): void {
    if (!(at >= 0 && at + into.length <= this.size))
      throw new GuestError(
        'corrupt',
        `read of ${into.length} bytes at ${at} goes beyond the end (${this.size} bytes)`,
        [this.label],
      );
    try {
      this.from.read(at, into);
    } catch (error) {
      if (error instanceof GuestError) throw error;
      const why = printable(fromHost(String((error as Error)?.message ?? error)), 300);
      throw new GuestError('io', `cannot read ${into.length} bytes at ${at}: ${why}`, [this.label]);
    }
  }

  end(): void {
    this.from.close?.();
  }
}

/** The disks of a guest, as long as they are open. */
export class Sources {
  readonly disks: readonly BlockSource[];
  /** As the caller named them. */
  readonly names: readonly string[];
  readonly images: readonly ImageChoice[] | undefined;

  /** @throws GuestError, TypeError; nothing stays open then */
  constructor(given: readonly (string | DiskSource)[], options: OpenOptions, limits: Limits) {
    if (given.length === 0) throw new TypeError('no disk is named');
    this.names = given.map((one, i) => (typeof one === 'string' ? one : (one.name ?? `disk ${i}`)));
    const image = imageOptions(options);
    const disks: BlockSource[] = [];
    this.disks = disks;
    try {
      for (const [i, one] of given.entries()) disks.push(openOne(one, this.names[i]!, limits));
      this.images =
        image &&
        (require('../cli/image') as typeof import('../cli/image')).prepareImages(
          { image, operands: this.names } as unknown as Options,
          disks,
          FileSource,
          limits,
        );
    } catch (error) {
      this.close();
      throw error;
    }
  }

  close(): void {
    for (const disk of this.disks) shut(disk);
    for (const { members } of this.images ?? []) shutMembers(members);
  }
}

function openOne(given: string | DiskSource, name: string, limits: Limits): BlockSource {
  if (typeof given !== 'string') return new CallerSource(given, name);
  return NBD_URI.test(given)
    ? (require('../source/nbd') as typeof import('../source/nbd')).openNbd(given, limits)
    : openDisk(given);
}

function imageOptions({ format, snapshot, references }: OpenOptions): ImageOptions | undefined {
  if (format === undefined && snapshot === undefined && references === undefined) return undefined;
  const names = format === undefined || typeof format === 'string' ? format : format.join(',');
  return {
    ...(names === undefined ? {} : { format: names }),
    ...(snapshot === undefined ? {} : { snapshot }),
    ...(references === undefined ? {} : { references }),
  };
}

/** A descriptor's number may be another file's by the time that somebody reads: nothing is read any more. */
function shut(source: BlockSource): void {
  const closed = () => {
    throw new GuestError('io', 'the disk was closed', [source.label]);
  };
  Object.assign(source, { read: closed, readOnce: closed, readMany: closed, willRead: undefined });
  if (source instanceof FileSource) source.close();
  else source.end?.();
}

function shutMembers(members: ReadonlyMap<string, Member> | undefined): void {
  for (const { file, members: further } of members?.values() ?? []) {
    shut(file);
    shutMembers(further);
  }
}
