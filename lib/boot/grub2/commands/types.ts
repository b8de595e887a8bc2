/** The seam between GRUB's script engine and its commands. */
import type { Context } from '../../../bytes/budget';
import type { ByteString } from '../../../bytes/text';
import type { Guest, Volume } from '../../guest';
import type { GuestFile, InitrdPart } from '../../model';

/** What the loader commands (`linux`, `initrd`, `multiboot`, `module` …) have put together so far. */
export interface LoaderState {
  kernel: GuestFile | undefined;
  /** The kernel's arguments, joined as GRUB joins and quotes them. */
  args: ByteString;
  initrds: InitrdPart[];
  /** Set by multiboot of a Xen hypervisor: its modules in order, the first is the kernel. */
  modules?: { file: GuestFile; args: ByteString }[];
  /** Set by chainloader, efi, ntldr …: what it is that cannot be booted here. */
  foreign?: string;
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
  /** Prints `error: MESSAGE.` to the console and sets `$?` by making the command return 1. */
  error(message: ByteString): 1;
  /** Runs a configuration file in this scope (`source`) or in a new context (`configfile`, `normal`). */
  runFile(file: GuestFile, how: 'source' | 'configfile'): number;
  /** Registers an entry (menuentry, blscfg, legacy…). */
  addEntry(entry: NewEntry): void;
  /** Ends the evaluation: `boot`, `halt`, `reboot`, `exit`. */
  stop(how: 'boot' | 'halt' | 'exit'): never;
  /** In-memory replacement of files (`save_env`); keyed by `volume.name + path`. */
  readonly writtenFiles: Map<string, ByteString>;
}

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
}

/** Returns GRUB's `$?`: 0 is success. `args` excludes the command's own name. */
export type CommandHandler = (machine: Machine, args: ByteString[], name: ByteString) => number;

/** Name → handler. A folder of command files each exports one of these. */
export type CommandTable = Readonly<Record<string, CommandHandler>>;
