/**
 * The library: everything that `import … from 'nodegrub'` gives. These are declarations alone; `index.ts` has what stands behind
 * them. `scripts/api-types.mjs` makes dist/index.d.ts of this file, `scripts/api-reference.mjs` docs/api.md: what stands in the
 * comments is what users read. Nothing of the program's inside may be named here but plain documents.
 */
import type { Limits } from '../bytes/limits';
import type { BootFacts, Inspection } from '../inspect/document';
import type { Entry, FileSystem } from './filesystem-public';

export type { Limits } from '../bytes/limits';
export type * from '../inspect/document';
export type * from './filesystem-public';

/**
 * Opens a guest's disks read-only. Nothing of the guest's is parsed yet but the image format's header and the partition tables.
 *
 * Every call on what is returned is synchronous, but `extract()` and `unlock()`: the readers are. Work on many disks belongs into
 * worker threads, a `GuestDisk` each.
 *
 * The disk is read in this process. What it may cost is bounded (`OpenOptions.limits`), and whatever a guest writes there ends in a
 * result or a `GuestError`; but nothing stands between a defect of the readers and this process. Who reads disks of strangers with
 * privileges runs the program, whose `--sandbox=strict` has namespaces and a seccomp filter around its readers.
 *
 * @param disks the guest's disks in its order, `hd0` first: a path (a file or a block device), an `nbd://` or `nbd+unix://` URI, or
 *   whatever can be read from
 * @throws GuestError `io` when the host refuses, `unsupported` for what is no disk or has a format that cannot be read
 * @throws TypeError for options that cannot be meant
 */
export declare function openDisk(
  disks: string | DiskSource | readonly (string | DiskSource)[],
  options?: OpenOptions,
): GuestDisk;

/** Bytes that lie elsewhere than in a file: a backup store, a buffer. */
export interface DiskSource {
  /** For messages, and as the name in documents. */
  readonly name?: string;
  /** Bytes. */
  readonly size: number;
  /** Logical sector size in bytes; 512 when it is absent. */
  readonly sectorSize?: number;
  /**
   * Fills all of `into` with the bytes from `at` on; these always lie within `size`. Synchronous. What it throws becomes a
   * `GuestError` `io`.
   */
  read(at: number, into: Uint8Array): void;
  /** Called once by `GuestDisk.close()`. */
  close?(): void;
}

export interface OpenOptions {
  /**
   * The image format, or one for each disk: `auto`, `raw`, `qcow2`, `qcow`, `qed`, `vhd`, `vhdx`, `vmdk`, `vdi`, `parallels`, `gzip`.
   * `auto` is what it is when nothing is said: the first bytes decide, and block devices are raw. A guest owns the bytes of a raw
   * disk and could write a header there, so name the format where it is known.
   */
  readonly format?: string | readonly string[];
  /** An internal snapshot of a qcow2, by id or name. */
  readonly snapshot?: string;
  /** `directory`: backing files and parents may be opened in the image's own directory. Needs a `format`. Default `none`. */
  readonly references?: 'none' | 'directory';
  /** The only filesystem of the first disk starts at this byte; no table is read. */
  readonly offset?: number;
  /** What one call may cost, by name; for the rest `LIMITS` holds. */
  readonly limits?: Partial<Limits>;
  /** The host's policy: a file as `--policy` takes it (docs/policy.md). It is read anew by each call that it concerns. */
  readonly policy?: string;
  /** False: kernels are not looked for where there is no boot configuration. Default true. */
  readonly guess?: boolean;
  /**
   * Takes warnings and decisions, as the program writes them to stderr: one printable line each. What concerns a document is in its
   * `warnings` as well. Without it they are dropped.
   */
  readonly onWarning?: (line: string) => void;
}

/** Which entry is meant, and what is added to it: the options of the program that have these names. */
export interface BootOptions {
  /** `Entry.index`, an id, a title, or GRUB's path (`1>2`). Absent: the guest's own default. */
  readonly entry?: number | string;
  /** Appended to the entry's arguments; all of them with `kernel`. */
  readonly args?: string;
  /** This file of the guest is the kernel, and no configuration is read. */
  readonly kernel?: string;
  /** Its ramdisk, with `kernel`. */
  readonly ramdisk?: string;
}

export interface ExtractOptions extends BootOptions {
  /** The kernel is handed over unpacked (vmlinux, arm64 Image). */
  readonly decompress?: boolean;
  /** The kernel is looked into, and refused when Xen cannot start it so. */
  readonly check?: 'pv' | 'pvh' | 'any';
}

/** A guest's opened disks. */
export interface GuestDisk {
  /**
   * Every place that may hold a filesystem, in the order of disks and tables: partitions, a disk without a table, then logical
   * volumes, arrays and what was unlocked.
   */
  readonly volumes: readonly Volume[];
  /**
   * One of them by any of its names: `hd0,gpt2`, `(hd0,gpt2)`, `hd0,2`, `lvm/vg-root`, `md/0`, `/dev/xvda2`; `hd0` is the whole disk.
   * Undefined: the guest has none of that name.
   */
  volume(name: string): Volume | undefined;
  /**
   * Every entry of the configuration that would be used, evaluated: the document of `nodegrub -l --output-format=json`
   * (docs/list.schema.json). `dialect` is null and `entries` empty where there is no configuration.
   * @throws GuestError `limit`
   */
  list(): ListDocument;
  /**
   * What is on the disks, what of it boots and why, and what an xl.cfg and the guest need: the document of
   * `nodegrub --inspect --output-format=json` (docs/inspect.schema.json).
   * @throws GuestError `limit`
   */
  inspect(options?: BootOptions): Inspection;
  /**
   * What boots, as `nodegrub -n` finds it: the entry that is asked for or the guest's default, then its fallbacks.
   * @throws GuestError `limit`, and what a policy refuses
   */
  decide(options?: BootOptions): BootDecision;
  /**
   * Copies the kernel and the ramdisk that `decide()` would name into a directory of the host's, as new files of mode 0600. After a
   * failure none is left (but for a process that is killed: the program alone has a helper for that).
   * @param directory it must exist
   * @throws GuestError when nothing boots or something cannot be read or written (a rejected promise)
   */
  extract(directory: string, options?: ExtractOptions): Promise<Extracted>;
  /**
   * Opens encrypted volumes (LUKS) with these keys; what opens is among `volumes`, and seen by everything that is asked from then
   * on. A wrong key opens nothing and is no error. Deriving a key takes about as long as cryptsetup does.
   * @param keys passphrases or contents of key files, tried in turn on each volume
   * @returns the new volumes' disks: `crypto0` …; `onWarning` is told why others stay closed
   */
  unlock(keys: readonly (string | Uint8Array)[], options?: UnlockOptions): Promise<readonly string[]>;
  /** Closes the disks. May be called twice; everything else throws an Error afterwards. */
  close(): void;
  /** `close()`, for `using`. */
  [Symbol.dispose](): void;
}

export interface UnlockOptions {
  /** The host's path of a detached LUKS header. */
  readonly header?: string;
}

/** A partition, a logical volume, an array, a disk without a table. */
export interface Volume {
  /** GRUB's name without parentheses: `hd0,gpt2`, `hd0`, `lvm/vg-root`. */
  readonly name: string;
  /** The disk it is on: `hd0`. */
  readonly disk: string;
  /** Bytes. */
  readonly size: number;
  /** Null where it is no row of a table. */
  readonly partition: PartitionRow | null;
  /** What `filesystem()` finds, in brief; null where that finds none or throws. */
  readonly type: string | null;
  readonly uuid: string | null;
  readonly label: string | null;
  /**
   * Its filesystem; the same object each time. Undefined: it holds none that is known here.
   * @throws GuestError where there is one and it cannot be read
   */
  filesystem(): FileSystem | undefined;
  /**
   * Its bytes as they are.
   * @throws GuestError `io`, and `corrupt` beyond its end
   */
  read(at: number, length: number): Uint8Array;
}

export interface PartitionRow {
  /** GRUB's name of the table: `gpt`, `msdos`, `apple`, `bsd` … */
  readonly scheme: string;
  readonly number: number;
  /** Bytes from the start of the disk. */
  readonly start: number;
  /** MBR: the active flag. GPT: "legacy BIOS bootable". */
  readonly active: boolean;
  /** MBR: two hexadecimal digits; GPT: the type GUID in lower case. */
  readonly type: string;
  /** GPT: the partition's GUID; MBR: as Linux' PARTUUID. */
  readonly uuid: string | null;
  /** GPT: the partition's name. */
  readonly label: string | null;
}

/** What `nodegrub -l --output-format=json` prints. */
export interface ListDocument {
  /** The first disk, as it was named. */
  readonly image: string;
  readonly volume: string | null;
  readonly filesystem: string | null;
  /** The configuration's path on its volume. */
  readonly config: string | null;
  /** `grub2`, `bls`, `syslinux` … */
  readonly dialect: string | null;
  /** Seconds; null: not set; -1: for ever. */
  readonly timeout: number | null;
  readonly timeoutStyle: string | null;
  /** Index of the guest's own default. */
  readonly default: number | null;
  readonly entries: readonly Entry[];
  /** What the configuration printed. */
  readonly console: string;
  readonly warnings: readonly string[];
}

/** What boots, or why nothing does. */
export interface BootDecision {
  /** Null: nothing boots. */
  readonly boot: BootFacts | null;
  /** Why nothing does, the most likely reason first; printable. */
  readonly reasons: readonly string[];
  readonly warnings: readonly string[];
}

/** Files of the host's that a domain can be started from; the caller's to remove. */
export interface Extracted {
  /** Absolute. */
  readonly kernel: string;
  /** Null: the entry names none. */
  readonly ramdisk: string | null;
  readonly args: string;
  readonly boot: BootFacts;
  readonly warnings: readonly string[];
}

/**
 * `corrupt`: a structure contradicts itself; `unsupported`: sound, but it needs something that is not there; `not-found`: a path,
 * device or entry does not exist; `limit`: one of the limits was reached; `io`: the host could not read or write; `syntax`: a
 * configuration cannot be parsed.
 */
export type ErrorCode = 'corrupt' | 'unsupported' | 'not-found' | 'limit' | 'io' | 'syntax';

/** The one error that a guest's data, or the host's refusal, can cause. Any other is a defect here or in the caller. */
export declare class GuestError extends Error {
  readonly code: ErrorCode;
  /** From the outside in: `['disk.img', 'gpt2', 'ext4', 'inode 12']`. */
  where: string[];
  constructor(code: ErrorCode, detail: string, where?: string[]);
  /** `gpt2 › ext4 › inode 12: extent depth 9, maximum 5`; printable. */
  describe(): string;
}

/** What one call may cost where `OpenOptions.limits` says nothing. */
export declare const LIMITS: Limits;

/** A guest's text as one line for terminals and logs: control and bidirectional characters become `\xNN` or `\u{NNNN}`. */
export declare function printable(text: string): string;

/** The program's. */
export declare const version: string;
