/** The guest's disks as a configuration sees them: devices by name, files by device and path. */
import type { Context } from '../bytes/budget';
import { GuestError, notFound } from '../bytes/errors';
import type { LimitName } from '../bytes/limits';
import { type ByteString, fromBytes, printable } from '../bytes/text';
import { CachedFileSystem } from '../fs/cached';
import { readWhole } from '../fs/file';
import type { FileSystem } from '../fs/types';
import { walk } from '../fs/walk';
import { CacheSource } from '../source/cache';
import { type BlockSource, SliceSource } from '../source/types';
import type { Partition } from '../volume/types';
import type { GuestFile } from './model';

/** A place that may hold a filesystem: a partition, a whole disk, a loopback file. */
export interface Volume {
  /** GRUB's name without parentheses: `hd0,gpt2`, `hd0`, `loop0,msdos1`. */
  readonly name: string;
  /** Name of the disk: `hd0`. */
  readonly disk: string;
  /** Table's scheme and row, absent on a whole disk. */
  readonly scheme?: string;
  readonly partition?: Partition;
  readonly source: BlockSource;
  /** What a member of an array shows, where that is not what lies on it (assemble.ts). */
  shown?: () => FileSystem | undefined;
  /** Probed on first use. `undefined`: no driver knows it. @throws GuestError when one does and it is damaged */
  filesystem(): FileSystem | undefined;
}

export interface Disk {
  readonly name: string;
  /** The whole disk as a volume. */
  readonly whole: Volume;
  readonly scheme?: string;
  /** Disk GUID or MBR signature. */
  readonly id?: string;
  readonly partitions: readonly Volume[];
  /** Another name: `cryptouuid/0a1b…`, `lvmid/…`, `mduuid/…`. */
  readonly alias?: string;
  /** The volume that this disk is the inside of. */
  readonly of?: Volume;
}

/** What the guest model needs from the stages before it; handed in so that tests can do without. */
export interface GuestParts {
  readTable(
    disk: BlockSource,
    ctx: Context,
  ): { scheme: string; id?: string; partitions: readonly Partition[] } | undefined;
  openFileSystem(
    source: BlockSource,
    ctx: Context,
    others: () => Iterable<BlockSource>,
    /** The volume's. */
    name: string,
  ): FileSystem | undefined;
  /** Adds logical volumes and arrays as disks: those of the volumes that are there now, each once. */
  assemble?(guest: Guest): void;
}

/** `(hd0,gpt2)/boot/x` → device and path. No parentheses: device undefined. */
export function splitDevice(name: ByteString): { device: ByteString | undefined; path: ByteString } {
  if (!name.startsWith('(')) return { device: undefined, path: name };
  const end = name.indexOf(')');
  if (end < 0) throw notFound(`${printable(name)}: device name without ')'`);
  return { device: name.slice(1, end), path: name.slice(end + 1) };
}

/** The file as something to load: a problem where it is no regular file or, for a kernel, holds nothing. */
export function payload(file: GuestFile, kernel = false): GuestFile {
  const node = file.found?.node;
  const problem =
    node && (node.kind !== 'file' ? 'not a regular file' : kernel && node.size === 0 ? 'empty file' : '');
  if (!problem) return file;
  return { volume: file.volume, path: file.path, problem: `${printable(file.path)}: ${problem}` };
}

/**
 * Files that are GRUB itself, built as a Xen guest's kernel: Debian's grub-xen, Xen's old pv-grub, and what
 * `grub-mkimage -O x86_64-xen` makes under the names its documentation uses.
 */
export const PV_GRUB = /\/(?:pvboot-[^/]*\.elf|pv-?grub[^/]*|grub-(?:x86_64|i386)-xen[^/]*)$/;

/** `xvda`, `sda`, `hda`, `vda` … → 0; `xvdb` → 1. */
const LINUX_DISK = /^(?:\/dev\/)?(?:xvd|sd|hd|vd|ubd)([a-z])(\d*)$/;

export class Guest {
  readonly #disks: Disk[] = [];
  readonly #ctx: Context;
  readonly #parts: GuestParts;

  /** Whether the run may not look at anything else. */
  get over(): boolean {
    return this.#ctx.budget.over;
  }

  constructor(
    ctx: Context,
    parts: GuestParts,
    /** What this is a copy of. */
    readonly from?: Guest,
  ) {
    this.#ctx = ctx;
    this.#parts = parts;
  }

  /** The list itself: assemble.ts adds to a copy's what the original has. */
  get disks(): Disk[] {
    return this.#disks;
  }

  /** Every place that can hold a filesystem, in table order: partitions, or the disk when it has no table. */
  *volumes(): Generator<Volume> {
    for (const disk of this.everyDisk()) {
      if (disk.partitions.length === 0) yield disk.whole;
      else yield* disk.partitions;
    }
  }

  /**
   * Adds a disk under a GRUB name (`hd0`, `loop0`), replacing one of that name; reads its partition table.
   * A table that is damaged beyond use is told through `ctx.warn` and the disk then counts as a whole.
   */
  addDisk(name: string, raw: BlockSource, more?: Pick<Disk, 'alias' | 'of'>): Disk {
    const source = raw.cached ? raw : new CacheSource(raw);
    let table: ReturnType<GuestParts['readTable']>;
    try {
      table = this.#parts.readTable(source, this.#ctx);
    } catch (error) {
      if (!(error instanceof GuestError)) throw error;
      this.#ctx.warn(`${name}: ${error.describe()}`);
    }
    const whole = this.#volume(name, name, source);
    const partitions = (table?.partitions ?? []).map((p) => {
      const label = p.nested ?? `${table?.scheme ?? ''}${p.number}`;
      return this.#volume(
        `${name},${label}`,
        name,
        new SliceSource(source, p.start, p.size, label),
        table?.scheme,
        p,
      );
    });
    const disk: Disk = {
      name,
      whole,
      partitions,
      ...more,
      ...(table ? { scheme: table.scheme, id: table.id } : {}),
    };
    const old = this.#disks.findIndex((d) => d.name === name);
    if (old >= 0) this.#disks[old] = disk;
    else this.#disks.push(disk);
    return disk;
  }

  /** Makes what lies on several volumes, or in one that holds others, disks of their own. */
  assemble(): void {
    this.#parts.assemble?.(this);
  }

  /** All disks; those that have to be assembled last, which nobody does who has found what is wanted before. */
  *everyDisk(): Generator<Disk> {
    yield* this.#disks;
    const { length } = this.#disks;
    this.assemble();
    yield* this.#disks.slice(length);
  }

  removeDisk(name: string): boolean {
    const at = this.#disks.findIndex((d) => d.name === name);
    if (at < 0) return false;
    this.#disks.splice(at, 1);
    return true;
  }

  /** A copy that shares what is opened; disks added to one (loopback) are not seen by the other, but encrypted ones that came since. */
  fork(): Guest {
    const root = this.from ?? this;
    const copy = new Guest(this.#ctx, this.#parts, root);
    const disks = copy.#disks;
    disks.push(...this.#disks);
    for (const d of root.#disks) if (d.of && !disks.some((own) => own.name === d.name)) disks.push(d);
    return copy;
  }

  #volume(name: string, disk: string, source: BlockSource, scheme?: string, partition?: Partition): Volume {
    let opened: { fs: FileSystem | undefined } | { error: GuestError } | undefined;
    const guest = this;
    return {
      name,
      disk,
      source,
      ...(scheme === undefined ? {} : { scheme }),
      ...(partition === undefined ? {} : { partition }),
      filesystem() {
        if (!opened) {
          const others = function* () {
            for (const d of guest.#disks) {
              for (const v of d.partitions.length > 0 ? d.partitions : [d.whole])
                if (v.source !== source) yield v.source;
            }
          };
          // With metadata at its end, a member looks like what the array holds.
          if (guest.#disks.length > 1 || /^(fd$|a19d)/.test(`${partition?.type}`)) guest.assemble();
          try {
            const fs = this.shown
              ? this.shown()
              : guest.#parts.openFileSystem(source, guest.#ctx, others, name);
            opened = { fs: fs && new CachedFileSystem(fs) };
          } catch (error) {
            if (!(error instanceof GuestError)) throw error;
            opened = { error };
          }
        }
        if ('error' in opened) throw opened.error;
        return opened.fs;
      },
    };
  }

  /**
   * A device by any of its names: `hd0`, `hd0,gpt2`, `hd0,2`, `hd0,msdos5`, `xen/xvda,gpt2`, `/dev/xvda1`, `xvda`,
   * with or without parentheses. `undefined` when the guest has no such device.
   */
  device(given: ByteString): Volume | undefined {
    let name = given;
    if (name.startsWith('(') && name.endsWith(')')) name = name.slice(1, -1);
    const comma = name.indexOf(',');
    let diskName = comma < 0 ? name : name.slice(0, comma);
    const parts = comma < 0 ? [] : name.slice(comma + 1).split(',');
    if (diskName.startsWith('xen/')) diskName = diskName.slice(4);
    if (/^(lvm|md)/.test(diskName)) this.assemble();
    let disk = this.#disks.find((d) => d.name === diskName || d.alias === diskName);
    if (!disk) {
      const linux = LINUX_DISK.exec(diskName);
      if (linux) {
        disk = this.#disks.find((d) => d.name === `hd${linux[1]!.charCodeAt(0) - 97}`);
        if (linux[2] !== '') parts.unshift(linux[2]!);
      }
    }
    if (!disk) return undefined;
    if (parts.length === 0) return disk.whole;
    // `msdos1` or, in a label inside it, `msdos1,bsd2`; each with or without the scheme.
    const wanted = parts.map((word) => word.replace(/^([a-z]*)0+(?=\d)/, '$1'));
    const skip = disk.name.length + 1;
    return disk.partitions.find((v) => {
      const words = v.name.slice(skip).split(',');
      return (
        words.length === wanted.length &&
        words.every((word, i) => word === wanted[i] || word.replace(/^[a-z]+/, '') === wanted[i])
      );
    });
  }

  /**
   * Finds a file. `name` may start with a device; otherwise it is on `base`.
   * Never throws a GuestError: the result says why the file was not found.
   * @param see the volume's filesystem as the configuration sees it, where that differs
   */
  file(
    name: ByteString,
    base: Volume | undefined,
    see: (volume: Volume) => FileSystem | undefined = (v) => v.filesystem(),
  ): GuestFile {
    let path = name;
    let volume = base;
    try {
      const split = splitDevice(name);
      path = split.path;
      if (split.device !== undefined) {
        volume = this.device(split.device);
        if (!volume) throw notFound(`${printable(path)}: no such device '${printable(split.device)}'`);
      }
      if (!volume) throw notFound(`${printable(path)}: no device is set`);
      const fs = see(volume);
      if (!fs) throw notFound(`${printable(path)}: ${volume.name} holds no filesystem that is known here`);
      const node = walk(fs, path);
      return { volume, path, found: { fs, node } };
    } catch (error) {
      if (!(error instanceof GuestError)) throw error;
      return { volume, path, problem: error.describe() };
    }
  }

  /** Reads a found file whole. @throws GuestError */
  read(file: GuestFile, most: LimitName | number, ctx: Context): ByteString {
    if (!file.found) throw notFound(file.problem ?? `${printable(file.path)}: not found`);
    return fromBytes(readWhole(file.found.fs, file.found.node, most, ctx));
  }
}
