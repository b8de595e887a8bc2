/** Runs the commands of one entry, as GRUB's run_script does, and says what it boots. */
import type { Budget } from '../../bytes/budget';
import { GuestError } from '../../bytes/errors';
import { type ByteString, printable } from '../../bytes/text';
import type { Guest, Volume } from '../guest';
import { payload } from '../guest';
import type { BootContext, BootTarget, GuestFile } from '../model';
import { parseDevice } from './device';
import { isLinuxImage } from './image';
import { isKnown, MENU_ONLY } from './known';
import { afterWord, commandArguments, commandName, firstWord, leadingNumber } from './lines';
import { parsePassword } from './password';
import type { Saved } from './saved';

/** What an entry finds set. */
export interface Surroundings {
  readonly ctx: BootContext;
  /** GRUB's own partition: `root` when an entry starts. */
  readonly home: Volume;
  /** Position of the entry in its menu. */
  readonly position: number;
  readonly fallback: readonly number[];
  /** What is saved, where the menu's default is `saved`. */
  readonly saved: Saved | undefined;
  /** The menu has a password. */
  readonly locked: boolean;
  /** What the configuration at a place boots by itself. */
  follow(volume: Volume, path: ByteString, budget: Budget, notes: string[]): BootTarget;
}

/** Illumos and Solaris: the multiboot program is the kernel itself, its module the ramdisk. */
const SOLARIS_KERNEL = /\/unix$/;

/** A kernel or module. */
interface Named {
  readonly file: GuestFile;
  /** The file's name and the arguments: multiboot hands over both. */
  readonly line: ByteString;
}

type Handler = (run: EntryRun, argument: ByteString, name: ByteString) => void;

/** A command failed. */
class Failed {
  constructor(readonly reason: string) {}
}

/** Thrown to end an entry: `boot`, `halt`, `configfile`. */
class Ended {
  constructor(readonly target: BootTarget | undefined) {}
}

export class EntryRun {
  readonly #guest: Guest;
  readonly #notes: string[] = [];
  root: Volume;
  #failure: string | undefined;
  /** What of the last device or filesystem that was named is not there. */
  #missed: string | undefined;
  #kernel: Named | undefined;
  #initrd: GuestFile | undefined;
  #modules: Named[] = [];
  #foreign: string | undefined;
  #bootfs: ByteString = '';

  constructor(
    readonly around: Surroundings,
    readonly budget: Budget,
  ) {
    this.#guest = around.ctx.guest;
    this.root = around.home;
  }

  run(lines: Iterable<ByteString>): BootTarget {
    try {
      for (const line of lines) {
        this.budget.step();
        try {
          this.#execute(line);
        } catch (error) {
          if (!(error instanceof Failed)) throw error;
          // The first error counts.
          this.#failure ??= error.reason;
        }
      }
    } catch (error) {
      if (error instanceof Ended) return error.target ?? this.#target();
      if (!(error instanceof GuestError)) throw error;
      this.#failure ??= error.describe();
    }
    return this.#target();
  }

  #execute(line: ByteString): void {
    const name = commandName(line);
    if (!isKnown(name)) this.fail(`'${printable(name, 60)}': unrecognized command`);
    if (MENU_ONLY.has(name))
      this.fail(`'${name}' inside an entry, where GRUB does not know it; it belongs before the first title`);
    // After an error GRUB stops. What is loaded further on is noted all the same: a list shows what the entry wanted.
    if (this.#failure !== undefined && !AFTER_FAILURE.has(name)) return;
    HANDLERS.get(name)?.(this, commandArguments(line), name);
  }

  fail(reason: string): never {
    throw new Failed(reason);
  }

  note(text: string): void {
    if (!this.#notes.includes(text)) this.#notes.push(text);
  }

  /**
   * A device, or the configuration's own volume where this guest has no such device (CONTRACT, Decisions): the
   * configuration names disks as the machine saw them that wrote it.
   */
  device(text: ByteString): { volume: Volume; rest: ByteString } {
    const device = parseDevice(text, this.#guest, this.root);
    if (!device) this.fail(`${printable(firstWord(text), 100)}: unrecognized device string`);
    if (device.volume) return { volume: device.volume, rest: device.rest };
    this.#missed = `there is no device ${printable(device.name, 80)}`;
    if (/^\((?:fd|nd)/.test(device.name))
      this.note(`there is no ${printable(device.name)} here, ${this.around.home.name} is taken in its place`);
    return { volume: this.around.home, rest: device.rest };
  }

  /** The file that the first word names, found or not. A device in it does not change `root`. */
  locate(argument: ByteString): GuestFile {
    const word = firstWord(argument);
    let volume = this.root;
    let path = word;
    if (word.startsWith('(')) {
      const device = this.device(word);
      volume = device.volume;
      path = firstWord(device.rest);
    }
    if (path.startsWith('/')) return this.#guest.file(path, volume);
    const why = /^\d*\+\d/.test(path) ? 'a list of blocks, not a file' : 'not an absolute path';
    return { volume, path, problem: path === '' ? 'no file is named' : `${printable(path)}: ${why}` };
  }

  /** Fails where a file to load is missing. */
  need(file: GuestFile): void {
    const { problem } = file;
    if (problem !== undefined) this.fail(this.#missed ? `${problem} (${this.#missed})` : problem);
  }

  find(argument: ByteString): void {
    let rest = argument;
    let setRoot = false;
    // grub4dos: `--set-root`, `--ignore-floppies`, `--devices=…`
    while (rest.startsWith('--')) {
      setRoot ||= firstWord(rest) === '--set-root';
      rest = afterWord(rest);
    }
    const path = firstWord(rest);
    const volume = this.#search((v) => path.startsWith('/') && this.#has(v, path));
    if (!volume) this.fail(`${printable(path)}: not found on any partition`);
    if (setRoot) this.root = volume;
  }

  /** Solaris' `findroot (SIGNATURE,0,a)` or `findroot SIGNATURE`. */
  findRoot(argument: ByteString): void {
    const word = firstWord(argument);
    const [signature, ...slices] = word.replace(/^\(|\)$/g, '').split(',');
    const bare = !word.startsWith('(');
    const path = bare && signature!.includes('/') ? signature! : `/boot/grub/bootsign/${signature}`;
    if (signature === '' || (!bare && slices.length === 0))
      this.fail(`findroot ${printable(word, 60)}: bad argument`);
    const partition = slices[0] !== undefined && /^\d+$/.test(slices[0]) ? Number(slices[0]) + 1 : undefined;
    const wanted = (v: Volume) =>
      partition === undefined ||
      v.partition === undefined ||
      v === this.#guest.device(`${v.disk},${partition}`);
    const volume = this.#search((v) => wanted(v) && this.#has(v, path));
    if (!volume) this.fail(`findroot ${printable(word, 60)}: ${printable(path)}: not found on any partition`);
    this.root = volume;
  }

  /** Ubuntu's `uuid`; a filesystem that is not there leaves `root` as it is. */
  uuid(argument: ByteString): void {
    const wanted = firstWord(argument).toLowerCase();
    const volume = this.#search((v) => v.filesystem()?.uuid?.toLowerCase() === wanted);
    if (volume) this.root = volume;
    else {
      this.#missed = `no filesystem has the UUID ${printable(wanted, 60)}`;
      this.note(`${this.#missed}, ${this.root.name} stays the root`);
    }
  }

  findIso(): void {
    const volume = this.#search((v) => v.filesystem()?.grubName === 'iso9660');
    if (volume) this.root = volume;
    else this.fail('findiso: no ISO 9660 filesystem');
  }

  #has(volume: Volume, path: ByteString): boolean {
    return this.#guest.file(path, volume).found?.node.kind === 'file';
  }

  #search(wanted: (volume: Volume) => boolean): Volume | undefined {
    for (const volume of this.#guest.volumes()) {
      this.budget.step(100);
      try {
        if (wanted(volume)) return volume;
      } catch (error) {
        if (!(error instanceof GuestError)) throw error;
      }
    }
    return undefined;
  }

  setRoot(argument: ByteString): void {
    // Without an argument it prints.
    if (argument === '') return;
    this.root = this.device(argument).volume;
  }

  kernel(argument: ByteString): void {
    let rest = argument;
    for (;;) {
      if (rest.startsWith('--type=')) {
        if (!/^--type=(?:netbsd|freebsd|openbsd|linux|biglinux|multiboot)/.test(rest))
          this.fail(`kernel ${printable(firstWord(rest), 60)}: bad argument`);
      } else if (!rest.startsWith('--no-mem-option')) break;
      rest = afterWord(rest);
    }
    // The kernel that failed is what a list shows.
    if (this.#failure !== undefined && this.#kernel) return;
    const file = payload(this.locate(rest), true);
    this.#kernel = { file, line: rest };
    this.#initrd = undefined;
    this.#modules = [];
    this.#foreign = undefined;
    this.need(file);
  }

  initrd(argument: ByteString): void {
    if (!this.#kernel) this.fail('initrd: the kernel must be loaded before it');
    const more = firstWord(afterWord(argument));
    if (more !== '') this.note(`GRUB loads the first file of an initrd line, not ${printable(more)}`);
    this.#initrd = payload(this.locate(argument));
    this.need(this.#initrd);
  }

  module(argument: ByteString): void {
    const kernel = this.#kernel;
    if (!kernel) this.fail('module: the multiboot kernel must be loaded before it');
    // Without its hypervisor the entry fails; the modules are not what it then boots.
    if (!kernel.file.found) return;
    if (isLinuxImage(kernel.file, this.around.ctx, this.budget)) {
      this.initrd(argument);
      return;
    }
    const file = payload(this.locate(argument));
    this.#modules.push({ file, line: argument });
    this.need(file);
  }

  chainload(argument: ByteString): void {
    const what = firstWord(argument) === '--force' ? afterWord(argument) : argument;
    this.#kernel = undefined;
    this.#foreign = `starts ${printable(firstWord(what), 100)}: cannot be booted here (chainloader)`;
  }

  /** `$ISADIR` is `amd64` on such a machine; what `$ZFS-BOOTFS` stands for only GRUB's ZFS reader knows. */
  expand(argument: ByteString): ByteString {
    if (argument.includes('$ZFS-BOOTFS'))
      this.note(
        `$ZFS-BOOTFS is not expanded; it stands for the ZFS filesystem${this.#bootfs === '' ? ' that the pool boots' : ` ${printable(this.#bootfs)}`}`,
      );
    return argument.replaceAll('$ISADIR', 'amd64');
  }

  set bootfs(name: ByteString) {
    this.#bootfs = name;
  }

  configFile(argument: ByteString): never {
    const file = payload(this.locate(argument));
    this.need(file);
    throw new Ended(this.around.follow(file.volume!, file.path, this.budget, this.#notes));
  }

  saveDefault(argument: ByteString): void {
    const { saved, position, fallback } = this.around;
    let rest = argument;
    while (rest.startsWith('--')) rest = afterWord(rest);
    let entry = position;
    if (rest.startsWith('fallback')) {
      const next = fallback[fallback.indexOf(position) + 1];
      if (next === undefined) this.fail('savedefault fallback: there is no further fallback');
      entry = next;
    } else if (rest !== '') entry = leadingNumber(rest)?.value ?? position;
    if (saved && entry !== saved.entry && saved.afterwards === undefined)
      this.note(
        `savedefault: disks are not written here, entry ${saved.entry} stays the saved one (${entry} was to be saved)`,
      );
  }

  password(): void {
    this.note('GRUB would ask for a password before it boots this entry');
  }

  lock(): void {
    if (this.around.locked) this.note('locked: GRUB boots it only when the password has been given');
  }

  pause(argument: ByteString): void {
    this.note(`GRUB would wait for a key: ${printable(argument, 200)}`);
  }

  boot(): never {
    if (this.#kernel || this.#foreign !== undefined) throw new Ended(undefined);
    this.fail('boot: no kernel is loaded');
  }

  stop(name: ByteString): never {
    this.#foreign = `ends with ${printable(name)}`;
    throw new Ended(undefined);
  }

  #target(): BootTarget {
    const notes = this.#notes;
    const root = this.root.name;
    const empty = { kernel: undefined, initrds: [], args: '', root, notes };
    if (this.#foreign !== undefined && this.#kernel === undefined)
      return { ...empty, problem: this.#failure ?? this.#foreign };
    const kernel = this.#kernel;
    if (!kernel) return { ...empty, problem: this.#failure ?? 'no kernel is loaded' };
    const problem = this.#failure ?? this.#foreign ?? null;
    if (this.#modules.length > 0)
      return { ...this.#fromModules(kernel, this.#modules), root, problem, notes };
    return {
      kernel: kernel.file,
      initrds: this.#initrd ? [{ file: this.#initrd }] : [],
      args: afterWord(kernel.line),
      root,
      problem,
      notes,
    };
  }

  /** What of a multiboot program and its modules can be booted without it. */
  #fromModules(program: Named, modules: readonly Named[]): Pick<BootTarget, 'kernel' | 'initrds' | 'args'> {
    let left = modules;
    let kernel = program;
    // Solaris' own kernel wants its name in front of the arguments, as multiboot hands them over.
    let args = program.line;
    if (!SOLARIS_KERNEL.test(program.file.path)) {
      // tboot starts a hypervisor that in turn starts the kernel.
      let out = program;
      for (;;) {
        this.note(`the hypervisor ${printable(out.file.path)} is left out, its first module is the kernel`);
        if (left.length < 2 || !/\/xen[^/]*$/.test(left[0]!.file.path)) break;
        out = left[0]!;
        left = left.slice(1);
      }
      kernel = left[0]!;
      left = left.slice(1);
      args = afterWord(kernel.line);
    }
    for (const { file } of left.slice(1)) this.note(`the module ${printable(file.path)} is left out`);
    return { kernel: kernel.file, initrds: left[0] ? [{ file: left[0].file }] : [], args };
  }
}

const setRoot: Handler = (run, argument) => run.setRoot(argument);
const module_: Handler = (run, argument) => run.module(argument);
const stop: Handler = (run, _argument, name) => run.stop(name);
/** Fails where its file is missing, and has no effect otherwise. */
const reads: Handler = (run, argument) => run.need(run.locate(argument));

const HANDLERS: ReadonlyMap<ByteString, Handler> = new Map<ByteString, Handler>([
  ['blocklist', reads],
  ['boot', (run) => run.boot()],
  [
    'bootfs',
    (run, argument) => {
      run.bootfs = firstWord(argument);
    },
  ],
  ['cat', reads],
  ['chainloader', (run, argument) => run.chainload(argument)],
  ['configfile', (run, argument) => run.configFile(argument)],
  ['find', (run, argument) => run.find(argument)],
  ['findiso', (run) => run.findIso()],
  ['findroot', (run, argument) => run.findRoot(argument)],
  ['halt', stop],
  ['initrd', (run, argument) => run.initrd(argument)],
  ['kernel', (run, argument) => run.kernel(argument)],
  ['kernel$', (run, argument) => run.kernel(run.expand(argument))],
  ['lock', (run) => run.lock()],
  [
    'map',
    (run, argument) => {
      run.device(argument);
      run.device(afterWord(argument));
    },
  ],
  ['module', module_],
  ['module$', (run, argument) => run.module(run.expand(argument))],
  ['modulenounzip', module_],
  ['password', (run) => run.password()],
  ['pause', (run, argument) => run.pause(argument)],
  ['reboot', stop],
  ['root', setRoot],
  ['rootnoverify', setRoot],
  ['savedefault', (run, argument) => run.saveDefault(argument)],
  ['uuid', (run, argument) => run.uuid(argument)],
]);

/** Commands that are still looked at after an error, for what a list shows. */
const AFTER_FAILURE: ReadonlySet<ByteString> = new Set([
  'initrd',
  'kernel',
  'kernel$',
  'module',
  'module$',
  'modulenounzip',
  'root',
  'rootnoverify',
]);

/** What a password inside an entry is, and whether the entry is locked. */
export function guards(lines: Iterable<ByteString>): {
  locked: boolean;
  password: ReturnType<typeof parsePassword>['password'] | undefined;
} {
  let locked = false;
  let password: ReturnType<typeof parsePassword>['password'] | undefined;
  for (const line of lines) {
    const name = commandName(line);
    if (name === 'lock') locked = true;
    else if (name === 'password') password ??= parsePassword(commandArguments(line)).password;
  }
  return { locked, password };
}
