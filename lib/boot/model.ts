/** What every dialect produces, and what menu, list and extractor consume. */
import type { Context } from '../bytes/budget';
import type { ByteString } from '../bytes/text';
import type { FileSystem, FsNode } from '../fs/types';
import type { BlockSource } from '../source/types';
import type { Guest, Volume } from './guest';

/** A file that a configuration names, found or not. */
export interface GuestFile {
  readonly volume: Volume | undefined;
  /** Absolute on its volume, as the configuration wrote it: `/boot/vmlinuz-6.1`. */
  readonly path: ByteString;
  /** Where it is; absent when it was not found, and `problem` then says why. */
  readonly found?: { readonly fs: FileSystem; readonly node: FsNode };
  readonly problem?: string;
}

/** One piece of the ramdisk, in order. */
export interface InitrdPart {
  readonly file: GuestFile;
  /** GRUB's `newc:NAME:FILE`: the file is wrapped in a cpio archive under this name. */
  readonly newcName?: ByteString;
}

/** An environment block as `save_env` left it. */
export interface Saved {
  readonly file: GuestFile;
  readonly fs: FileSystem;
  readonly node: FsNode;
  readonly block: ByteString;
}

export interface BootTarget {
  readonly kernel: GuestFile | undefined;
  readonly initrds: readonly InitrdPart[];
  readonly args: ByteString;
  /** GRUB's `root` when the entry was done: `hd0,gpt2`. */
  readonly root: ByteString;
  /** Why this cannot boot, one printable sentence, or null. */
  readonly problem: string | null;
  /** Things to tell the admin when this entry is booted (a hypervisor left out, one-shot entries …). Printable. */
  readonly notes: readonly string[];
  /** What `save_env` would have written, a file each, before this boots. */
  readonly saves?: ReadonlyMap<string, Saved> | undefined;
  /** The menu that the entry opened (`configfile`), of which this target is the default: a person is shown it. */
  readonly menu?: BootMenu;
  /** `args` are what the guest gets, `--args` worked in: a policy has judged them. */
  readonly settled?: true;
  /** `args` with `--args` worked in, for a system that wants it elsewhere than at the end (Solaris). */
  mergeArgs?(added: ByteString): ByteString;
}

export interface MenuEntry {
  readonly title: ByteString;
  readonly id: ByteString;
  /** The entry's source, editable in the menu. */
  readonly text: ByteString;
  readonly hidden?: boolean;
  readonly hotkey?: ByteString;
  readonly classes?: readonly ByteString[];
  /** Users who may boot it; undefined: anybody. `''` stands for the one password of a format without users. */
  readonly users?: readonly ByteString[];
  /** Asked for when a person chooses this entry (GRUB legacy's `password` inside an entry, syslinux' `MENU PASSWD`). */
  readonly password?: Password;
  /** Present on a submenu: evaluates it, on a copy of the environment, each time it is called. */
  open?(): BootMenu;
  /**
   * Evaluates the entry (or its edited text) as if chosen, on a copy of the environment with a budget of its own.
   * Never throws a GuestError: what went wrong is `problem`. Empty target for a submenu.
   */
  resolve(edited?: ByteString): BootTarget;
}

/** Value of `timeout`, in seconds: null when unset, -1 waits for ever. */
export type Timeout = number | null;

/** A password as a configuration keeps it; it is compared by the menu, when a person types one. */
export interface Password {
  /** `crypt`: crypt(3)'s `$1$…`, `$5$…`, `$6$…`; `pbkdf2`: GRUB's `grub.pbkdf2.sha512.…`; `sha1`: syslinux' `$4$…`. */
  readonly scheme: 'plain' | 'crypt' | 'pbkdf2' | 'sha1';
  readonly value: ByteString;
}

export interface Colours {
  readonly normal?: ByteString;
  readonly highlight?: ByteString;
  readonly menuNormal?: ByteString;
  readonly menuHighlight?: ByteString;
}

export interface BootMenu {
  readonly entries: readonly MenuEntry[];
  /**
   * What boots when nobody is there. Text is GRUB's `default`, unparsed: `0`, `saved title`, `1>2`, an id …; numbers are
   * positions from this menu down, for formats that name their default otherwise. Undefined: entry 0.
   */
  readonly default: ByteString | readonly number[] | undefined;
  /** The words of `fallback`; a number is a position in this menu. */
  readonly fallback: readonly (ByteString | number)[];
  /** Position that the menu shows selected, where that is not `default` (syslinux' ONTIMEOUT). */
  readonly selected?: readonly number[];
  readonly timeout: Timeout;
  /** Seconds after which the default boots even if a person is typing (syslinux' TOTALTIMEOUT). */
  readonly totalTimeout?: number;
  readonly timeoutStyle: 'menu' | 'countdown' | 'hidden';
  /** What the top level printed. */
  readonly console: ByteString;
  /** Passwords by user; `''` for a format without users. Absent: nothing is locked. */
  readonly passwords?: ReadonlyMap<ByteString, Password>;
  /**
   * Users who may edit entries and use the command line; absent: anybody. `''` stands for the one password of a format
   * without users.
   */
  readonly superusers?: readonly ByteString[];
  /** GRUB's names, foreground and background: `white/blue`. Absent where the configuration does not say. */
  readonly colours?: Colours;
  /** False where a person may choose entries and not change them (systemd-boot's `editor no`). */
  readonly editable?: boolean;
  /** Why not, where it is not the configuration that forbids it. Printable. */
  readonly locked?: string;
  /** GRUB's command line in the state of this menu; absent for other formats. Each call makes a new one. */
  shell?(): Shell;
  /** The menu that the password opens instead of this one (GRUB legacy's `password PASSWORD FILE`). */
  unlocked?(): BootMenu;
  /** Things that went wrong in a configuration that is used all the same. Printable. */
  readonly warnings: readonly string[];
  /**
   * Set when the configuration itself boots without a menu (commands at top level that load a kernel, and `boot` or
   * the end of the script): that target.
   */
  readonly immediate?: BootTarget;
}

/** What a line of the command line did. */
export interface ShellResult {
  /** What this line printed. */
  readonly output: ByteString;
  /**
   * `more`: the statement is not complete, GRUB asks for its next line with `> `. `boot`: `target` is to be booted.
   * `menu`: `menu` is shown. `leave`: back to the menu. `end`: `reason` is `halt`, `reboot` or `exit`.
   */
  readonly how: 'done' | 'more' | 'boot' | 'menu' | 'leave' | 'clear' | 'end';
  readonly target?: BootTarget;
  readonly menu?: BootMenu;
  readonly reason?: string;
}

/** What the Tab key found. */
export interface Completion {
  /** Index in the line from which `insert` takes the place of what stands up to the cursor. */
  readonly start: number;
  readonly insert: ByteString;
  /** When there are several: sorted, at most 300. */
  readonly candidates: readonly ByteString[];
}

/** GRUB's command line over a guest, without a terminal. */
export interface Shell {
  /** Runs a line as typed, without its newline. Never throws a GuestError. */
  run(line: ByteString): ShellResult;
  /** What the Tab key does at `cursor`; characters behind it do not matter. */
  complete(line: ByteString, cursor: number): Completion;
  /** Drops an incomplete statement. */
  reset(): void;
}

export interface ConfigFile {
  readonly volume: Volume;
  readonly path: ByteString;
  readonly fs: FileSystem;
  readonly node: FsNode;
  /** btrfs: `path` and all others begin in the default subvolume. */
  readonly relative?: true;
}

/** What a person at the console has proved so far. */
export interface Access {
  /** Has one of these users proved who they are? */
  allows(users: readonly ByteString[]): boolean;
  /** Has this password been typed? (GRUB legacy's) */
  knows(password: Password): boolean;
}

/** One of a configuration's `cryptomount`s. Undefined throughout: all encrypted volumes. */
export interface CryptRequest {
  /** In lower case, without dashes. */
  readonly uuid?: ByteString;
  readonly volume?: Volume;
  /** The key that the configuration itself gives. */
  readonly secret?: Buffer;
  /** A detached header, a file of the guest's. */
  readonly header?: BlockSource;
}

export interface BootContext extends Context {
  readonly guest: Guest;
  /** True when nobody watches (`-q`, `-l`): nothing sleeps, nothing waits. */
  readonly quiet: boolean;
  /** Set by the menu when a person is there: absent while nobody has typed anything. Read when it is asked for. */
  access?: Access;
  /** What is saved is written: nobody need be told that it is not. */
  readonly saves?: boolean;
  /** Encrypted volumes; shared by all copies of this context. */
  readonly crypt?: {
    /** What `cryptomount` missed. */
    wanted?: CryptRequest[] | undefined;
    /** Keys were tried, and nobody will be asked: nothing more opens. */
    tried?: true;
  };
}

export interface BootDialect {
  /** `grub2`, `grublegacy`, `syslinux` … */
  readonly name: string;
  /** Paths to look for, in this order. One that ends with `/` is a directory, others are files. */
  readonly paths: readonly ByteString[];
  /**
   * Evaluates the top level, on a budget of its own; so does each entry that is resolved later.
   * @throws GuestError when nothing of it can be used
   */
  evaluate(config: ConfigFile, ctx: BootContext): BootMenu;
}
