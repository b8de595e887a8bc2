/** The seam between GRUB's script engine and its commands. */
import type { Context } from '../../../bytes/budget';
import type { ByteString } from '../../../bytes/text';
import type { Guest, Volume } from '../../guest';
import type { BootContext, BootMenu, GuestFile, InitrdPart, MenuEntry } from '../../model';

/** What the loader commands (`linux`, `initrd`, `multiboot`, `module` …) have put together so far. */
export interface LoaderState {
  kernel: GuestFile | undefined;
  /** The kernel's arguments, joined as GRUB joins and quotes them. */
  args: ByteString;
  initrds: InitrdPart[];
  /** Set by multiboot of a Xen hypervisor: its modules in order, the first is the kernel. */
  modules?: { file: GuestFile; args: ByteString }[];
  /** The multiboot program that `modules` belong to. */
  hypervisor?: GuestFile;
  /** Set by chainloader, ntldr …: why this cannot be booted here, printable. */
  foreign?: string;
}

/**
 * What the language's own commands (`shift`, `break`, `return`, `eval` …) do to the script that runs.
 * Each returns GRUB's `$?`.
 */
export interface ScriptControl {
  /** False at top level, where there are no positional parameters. */
  readonly hasParameters: boolean;
  readonly parameterCount: number;
  setParameters(values: ByteString[]): void;
  shift(count: number): void;
  breakLoops(count: number, goOn: boolean): void;
  returnFromFunction(): void;
  /** Runs text as GRUB's `eval` does: to its end, or to the first statement that cannot be parsed. */
  evaluate(source: ByteString): number;
}

/** Everything that a command may touch. One instance per evaluated scope (top level, submenu, entry). */
export interface Machine extends Context {
  readonly guest: Guest;
  readonly quiet: boolean;
  readonly loader: LoaderState;
  /** The volume that the configuration in force came from. */
  readonly home: Volume | undefined;
  get(name: ByteString): ByteString | undefined;
  set(name: ByteString, value: ByteString): void;
  unset(name: ByteString): void;
  export(name: ByteString): void;
  /** All variables, sorted by name. */
  variables(): Iterable<[ByteString, ByteString]>;
  /** `root` as a volume; a device that does not exist falls back to `home` (CONTRACT, Decisions). */
  root(): Volume | undefined;
  /** A file by GRUB's rules: `(dev)/x` there, `/x` on root, `x` (relative) fails as GRUB does. */
  file(name: ByteString): GuestFile;
  /** Prints to the guest's console. */
  print(text: ByteString): void;
  /**
   * Prints `error: MESSAGE.` to the console. Return its result from the command: it becomes `$?`.
   * @param code GRUB's error number (`GRUB_ERROR`), 1 when left out
   */
  error(message: ByteString, code?: number): number;
  /**
   * An error that a command which succeeds leaves behind: printed after it, unless `!` or the next error replaces it.
   */
  leaveError(message: ByteString): void;
  /**
   * Prints what GRUB says of a file that was not found, and returns the number of that error.
   * @param name as the configuration wrote it, for a device that does not exist
   */
  fileError(file: GuestFile, name?: ByteString): number;
  /**
   * Runs a configuration file: `source` in this scope, `configfile` in a new context whose menu is then shown,
   * `normal` in this scope and shows the menu, `extract` takes only its menu entries. `$?` is 0 whatever happens.
   * @param name as the configuration wrote it
   */
  runFile(name: ByteString, how: 'source' | 'configfile' | 'normal' | 'extract'): number;
  /**
   * Takes another bootloader's menu over, as `runFile` does for a script's.
   * @param settings false: its entries only, not its default and time-out
   * @param isolated its entries alone make a menu, which is then shown
   */
  addMenu(menu: BootMenu, settings: boolean, isolated: boolean): void;
  /** What the evaluation as a whole is given; budgets of other evaluations come from it. */
  readonly context: BootContext;
  /** Shows the menu that there is so far (`normal` without a file, the end of a configuration). */
  showMenu(): void;
  /** Registers an entry (menuentry, blscfg, legacy…). */
  addEntry(entry: NewEntry): void;
  /** Ends the evaluation: `boot`, `halt`, `reboot`, `exit`. */
  stop(how: 'boot' | 'halt' | 'reboot' | 'exit'): never;
  /** Text of the block argument of the command that runs; `args` then ends with the same text in braces. */
  readonly block: ByteString | undefined;
  readonly script: ScriptControl;
  /** In-memory replacement of files (`save_env`); keyed by volume and node (`writtenKey` of grubenv.ts). */
  readonly writtenFiles: Map<string, ByteString>;
  /**
   * What commands remember from one call to the next (blscfg's entries, search's cache, passwords). A copy of the
   * scope gets a copy; values are replaced, never changed in place.
   */
  readonly memory: Map<string, unknown>;
  /** A one-shot variable (`next_entry` …) was consumed; the program warns, since guest disks are not written. */
  oneShot(name: ByteString): void;
}

/** GRUB's error numbers (include/grub/err.h), as scripts see them in `$?`. */
export const GRUB_ERROR = {
  testFailure: 1,
  badModule: 2,
  outOfMemory: 3,
  badFileType: 4,
  fileNotFound: 5,
  fileRead: 6,
  badFilename: 7,
  unknownFilesystem: 8,
  badFilesystem: 9,
  badNumber: 10,
  outOfRange: 11,
  unknownDevice: 12,
  badDevice: 13,
  readError: 14,
  unknownCommand: 16,
  invalidCommand: 17,
  badArgument: 18,
  badOs: 21,
  noKernel: 22,
  notImplemented: 24,
  symlinkLoop: 25,
  menu: 27,
  io: 29,
  accessDenied: 30,
  extractor: 31,
  noNetworkCard: 36,
  recursion: 47,
} as const;

export interface NewEntry {
  title: ByteString;
  id?: ByteString;
  classes?: ByteString[];
  users?: ByteString[];
  unrestricted?: boolean;
  hotkey?: ByteString;
  submenu?: boolean;
  hidden?: boolean;
  /** Positional parameters of the body: `$0` is not set, `$1` is the title … (GRUB: all arguments). */
  args: ByteString[];
  /** Source of the body. */
  body: ByteString;
  /** The entry as another bootloader's configuration made it; then nothing else counts. */
  foreign?: MenuEntry;
}

/** Returns GRUB's `$?`: 0 is success. `args` excludes the command's own name. */
export type CommandHandler = (machine: Machine, args: ByteString[], name: ByteString) => number;

/** Name → handler. A folder of command files each exports one of these. */
export type CommandTable = Readonly<Record<string, CommandHandler>>;
