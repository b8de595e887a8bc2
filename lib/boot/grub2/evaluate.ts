/**
 * Runs scripts as GRUB does: a line is parsed and executed before the next one is looked at; `$?` is set by every
 * command; an entry's body is text until it is chosen. Facts: GRUB manual; behaviour checked against grub-emu 2.06.
 */
import type { Budget } from '../../bytes/budget';
import { GuestError } from '../../bytes/errors';
import { type ByteString, printable } from '../../bytes/text';
import type { Guest, Volume } from '../guest';
import type { BootContext, BootMenu, GuestFile } from '../model';
import type { Command, FunctionDefinition, List } from './ast';
import {
  type CommandHandler,
  GRUB_ERROR,
  type LoaderState,
  type Machine,
  type NewEntry,
  type ScriptControl,
} from './commands/types';
import { type Environment, Layered } from './environment';
import { expand, isSpecialName } from './expand';
import { parseLine } from './parser';
import { seenBy } from './seen';

/** Commands inside commands that are executed; GRUB's own bound (script/execute.c, MAX_RECURSION_DEPTH). */
const MAX_DEPTH = 64;

/** Bytes of what a script prints that are kept; nobody reads more. */
const MAX_CONSOLE = 1024 * 1024;

/** Commands that work in `extract_entries_…`. */
const FOR_EXTRACTORS: ReadonlySet<string> = new Set([
  'menuentry',
  'submenu',
  'hiddenentry',
  '[',
  'test',
  'set',
  'search',
  'search.file',
  'search.fs_label',
  'search.fs_uuid',
]);

/** The script ended by a command: `boot`, `halt` … */
export class Stop {
  constructor(readonly how: 'boot' | 'halt' | 'reboot' | 'exit') {}
}

/** The script came to a point where GRUB shows a menu; what follows runs only when that menu is left. */
export class MenuShown {}

/** What all scopes of one evaluation share. */
export interface Shared {
  readonly context: BootContext;
  readonly commands: {
    get(name: ByteString): CommandHandler | undefined;
    last(name: ByteString): CommandHandler | undefined;
    /** All that `get` knows. */
    names(): Iterable<ByteString>;
  };
}

/** What a scope starts from. */
interface Start {
  readonly environment: Environment;
  readonly functions: Layered<List>;
  readonly guest: Guest;
  readonly home: Volume | undefined;
  readonly writtenFiles: Map<string, ByteString>;
  readonly memory: Map<string, unknown>;
  readonly budget: Budget;
  /** Menus inside menus. */
  readonly level: number;
}

/** UTF-8 is not cut inside a character. */
function cutName(name: ByteString): ByteString {
  if (name.length <= 20) return name;
  let end = 20;
  while (end > 0 && (name.charCodeAt(end) & 0xc0) === 0x80) end--;
  return name.slice(0, end);
}

/** Lines as GRUB reads them from a file: without carriage returns, a NUL ends a line, `#` lines are dropped. */
function configLines(text: ByteString): ByteString {
  let lines = text;
  if (lines.includes('\r')) lines = lines.replaceAll('\r', '');
  if (lines.includes('\0')) lines = lines.replace(/\0[^\n]*/g, '');
  if (lines.startsWith('#') || lines.includes('\n#')) lines = lines.replace(/^#[^\n]*(?:\n|$)/gm, '');
  return lines;
}

/** `problem`, with what is not there of the devices on the way. */
export const because = (machine: Machine, problem: string): string =>
  (require('./why') as typeof import('./why')).why(machine, problem);

/** One scope: the top level, a submenu, or an entry. */
export class Interpreter implements Machine {
  readonly guest: Guest;
  readonly home: Volume | undefined;
  readonly budget: Budget;
  readonly quiet: boolean;
  readonly writtenFiles: Map<string, ByteString>;
  readonly memory: Map<string, unknown>;
  readonly warnings: string[] = [];
  readonly level: number;
  loader: LoaderState = { kernel: undefined, args: '', initrds: [] };
  /** Entries of the menu in force. */
  entries: NewEntry[] = [];
  block: ByteString | undefined;
  /** Positional parameters; undefined outside of functions and entries. */
  parameters: ByteString[] | undefined;

  readonly functions: Layered<List>;
  #environment: Environment;
  readonly #console: ByteString[] = [];
  #printed = 0;
  readonly #running = new Map<ByteString, number>();
  #includes = 0;
  #extracting = 0;
  #depth = 0;
  /** An error that GRUB keeps to itself until the next command has run. */
  #pending: ByteString | undefined;
  #loops = 0;
  #breaks = 0;
  #goOn = false;
  #returning = false;

  constructor(
    readonly shared: Shared,
    start: Start,
  ) {
    this.guest = start.guest;
    this.home = start.home;
    this.budget = start.budget;
    this.quiet = shared.context.quiet;
    this.writtenFiles = start.writtenFiles;
    this.memory = start.memory;
    this.level = start.level;
    this.#environment = start.environment;
    this.functions = start.functions;
  }

  /**
   * A scope of its own that starts from what this one has come to. This one must not run any more.
   * @param level its menus inside menus
   */
  fork(budget: Budget, newContext: boolean, level = this.level + 1, shared = this.shared): Interpreter {
    const copy = new Interpreter(shared, {
      environment: newContext ? this.#environment.openContext() : this.#environment.fork(),
      functions: new Layered(this.functions),
      guest: this.guest.fork(),
      home: this.home,
      writtenFiles: new Map(this.writtenFiles),
      memory: new Map(this.memory),
      budget,
      level,
    });
    // What was loaded before the menu was shown stays loaded.
    copy.loader = { ...this.loader };
    return copy;
  }

  get context(): BootContext {
    return this.shared.context;
  }

  get console(): ByteString {
    return this.#console.join('');
  }

  // Machine

  get(name: ByteString): ByteString | undefined {
    return this.#environment.get(name);
  }

  set(name: ByteString, value: ByteString): void {
    this.budget.allocate(name.length + value.length);
    this.#environment.set(name, value);
  }

  unset(name: ByteString): void {
    this.#environment.unset(name);
  }

  export(name: ByteString): void {
    this.#environment.export(name);
  }

  variables(): Iterable<[ByteString, ByteString]> {
    return this.#environment.sorted();
  }

  root(): Volume | undefined {
    const name = this.get('root');
    return (name ? this.guest.device(name) : undefined) ?? this.home;
  }

  file(name: ByteString): GuestFile {
    this.budget.step(1 + (name.length >> 5));
    const see = (volume: Volume) => seenBy(this, volume);
    if (name.startsWith('(')) return this.guest.file(name, undefined, see);
    const root = this.root();
    if (!name.startsWith('/'))
      return { volume: root, path: name, problem: `invalid file name '${printable(name)}'` };
    return this.guest.file(name, root, see);
  }

  print(text: ByteString): void {
    this.budget.step(1 + (text.length >> 6));
    if (this.#printed > MAX_CONSOLE) return;
    this.#printed += text.length;
    if (this.#printed <= MAX_CONSOLE) this.#console.push(text);
    else this.warn(`more than ${MAX_CONSOLE} bytes are printed, the rest is not kept`);
  }

  warn(message: string): void {
    this.budget.allocate(message.length + 16);
    this.warnings.push(message);
  }

  oneShot(name: ByteString): void {
    if (this.context.saves) return;
    this.warn(
      `${printable(name)} asks for one boot only, but guest disks are not written: it will be used again next time`,
    );
  }

  error(message: ByteString, code: number = GRUB_ERROR.testFailure): number {
    this.print(`error: ${message}.\n`);
    return code;
  }

  leaveError(message: ByteString): void {
    this.#pending = message;
  }

  fileError(file: GuestFile, name?: ByteString): number {
    if (!file.volume) {
      let device = name ?? '';
      if (device.startsWith('(')) device = device.slice(1).split(')', 1)[0]!;
      const comma = device.indexOf(',');
      if (comma > 0 && this.guest.device(device.slice(0, comma)))
        return this.error('no such partition', GRUB_ERROR.unknownDevice);
      return this.error(`disk \`${device}' not found`, GRUB_ERROR.unknownDevice);
    }
    if (!file.path.startsWith('/'))
      return this.error(`invalid file name \`${file.path}'`, GRUB_ERROR.badFilename);
    if (file.found) return this.error('not a regular file', GRUB_ERROR.badFileType);
    try {
      if (!file.volume.filesystem()) return this.error('unknown filesystem', GRUB_ERROR.unknownFilesystem);
    } catch (error) {
      if (!(error instanceof GuestError)) throw error;
      return this.error('unknown filesystem', GRUB_ERROR.unknownFilesystem);
    }
    return this.error(`file \`${file.path}' not found`, GRUB_ERROR.fileNotFound);
  }

  runFile(name: ByteString, how: 'source' | 'configfile' | 'normal' | 'extract'): number {
    const file = this.file(name);
    let text: ByteString | undefined;
    try {
      text = this.guest.read(file, 'configBytes', this);
    } catch (error) {
      if (!(error instanceof GuestError) || error.code === 'limit') throw error;
      // GRUB says nothing; who wonders why nothing boots wants to know.
      this.warn(because(this, `${how} ${printable(name)}: ${error.describe()}`));
    }
    const outer = this.#environment;
    const { entries } = this;
    if (how === 'configfile') {
      this.#environment = outer.openContext();
      this.entries = [];
    } else if (how === 'extract') {
      this.#environment = outer.fork();
      this.#extracting++;
    }
    if (text !== undefined) this.runConfig(text, name);
    if (how === 'configfile' || how === 'normal') this.showMenu();
    if (how === 'normal') throw new Stop('exit');
    if (how === 'extract') this.#extracting--;
    if (how === 'configfile') this.entries = entries;
    if (how !== 'source') this.#environment = outer;
    return 0;
  }

  addMenu(menu: BootMenu, settings: boolean, isolated: boolean): void {
    const outer = this.#environment;
    const { entries } = this;
    if (isolated) {
      this.#environment = outer.openContext();
      this.entries = [];
    }
    for (const foreign of menu.entries)
      this.addEntry({ title: foreign.title, args: [foreign.title], body: foreign.text, foreign });
    for (const warning of menu.warnings) this.warn(warning);
    this.print(menu.console);
    if (settings) {
      const chosen = typeof menu.default === 'string' ? menu.default : menu.default?.join('>');
      if (chosen !== undefined) this.set('default', chosen);
      if (menu.timeout !== null) this.set('timeout', String(Math.ceil(menu.timeout)));
      if (menu.timeoutStyle !== 'menu') this.set('timeout_style', menu.timeoutStyle);
      if (menu.fallback.length > 0) this.set('fallback', menu.fallback.join(' '));
    }
    if (!isolated) return;
    this.showMenu();
    this.entries = entries;
    this.#environment = outer;
  }

  showMenu(): void {
    if (this.entries.length > 0) throw new MenuShown();
  }

  addEntry(entry: NewEntry): void {
    this.budget.allocate(256 + entry.title.length);
    this.budget.most('menuEntries', this.entries.length + 1, 'menu entries');
    this.entries.push(entry);
  }

  stop(how: 'boot' | 'halt' | 'reboot' | 'exit'): never {
    throw new Stop(how);
  }

  readonly script: ScriptControl = this.#control();

  #control(): ScriptControl {
    const machine = this;
    return {
      get hasParameters() {
        return machine.parameters !== undefined;
      },
      get parameterCount() {
        return machine.parameters?.length ?? 0;
      },
      setParameters(values) {
        machine.parameters = values;
      },
      shift(count) {
        machine.budget.step(count >> 6);
        machine.parameters = machine.parameters?.slice(count);
      },
      breakLoops(count, goOn) {
        machine.#goOn = goOn;
        machine.#breaks = Math.min(count, machine.#loops);
      },
      returnFromFunction() {
        machine.#returning = true;
      },
      evaluate(source) {
        return machine.runSource(source);
      },
    };
  }

  // Scripts

  /** A configuration file's text; a statement that cannot be parsed is skipped, as GRUB does. */
  runConfig(text: ByteString, name: ByteString): void {
    this.budget.most('includeDepth', ++this.#includes, 'configurations that include each other');
    const path = name.startsWith('(') ? name : `(${this.get('root') ?? ''})${name}`;
    const before = [this.get('config_file'), this.get('config_directory')] as const;
    const slash = path.lastIndexOf('/');
    this.set('config_file', path);
    this.set('config_directory', slash < 0 ? path : path.slice(0, slash));
    this.export('config_file');
    this.export('config_directory');
    this.#lines(configLines(text), true);
    for (const [i, variable] of ['config_file', 'config_directory'].entries()) {
      const old = before[i];
      if (old === undefined) this.unset(variable);
      else this.set(variable, old);
    }
    this.#includes--;
  }

  /**
   * Text of `eval` and of entries: ends at the first statement that cannot be parsed.
   * @param goOn it does not end there, and errors left behind are said
   */
  runSource(text: ByteString, goOn = false): number {
    this.budget.allocate(text.length);
    // GRUB sees an empty line behind the last newline, which a continued line can be joined with.
    return this.#lines(text.endsWith('\\\n') ? `${text}\n` : text, goOn);
  }

  #lines(text: ByteString, goOn: boolean): number {
    const define = (definition: FunctionDefinition) => this.#define(definition);
    let status = 0;
    for (let at = 0; at < text.length; ) {
      const line = parseLine(text, at, define, this.budget);
      this.budget.step(1 + ((line.next - at) >> 6));
      at = line.next;
      if (goOn) this.#sayPending();
      if (line.errors) {
        for (const message of line.errors) this.error(message);
        if (!goOn) return 0;
      } else if (line.list) status = this.#execute(line.list);
    }
    if (goOn) this.#sayPending();
    return status;
  }

  #define(definition: FunctionDefinition): void {
    if ((this.#running.get(definition.name) ?? 0) > 0)
      this.error('attempt to redefine a function being executed');
    else this.functions.set(definition.name, definition.body);
  }

  #execute(node: List | Command | undefined): number {
    if (!node) return 0;
    if (this.#depth + 1 >= MAX_DEPTH) {
      this.#pending = 'maximum recursion depth exceeded';
      return GRUB_ERROR.recursion;
    }
    this.#depth++;
    this.budget.step();
    let status: number;
    switch (node.kind) {
      case 'list':
        status = 0;
        for (const command of node.commands) {
          if (this.#breaks > 0) break;
          status = this.#execute(command);
          if (this.#returning) break;
        }
        break;
      case 'simple':
        status = this.#simple(node);
        break;
      case 'if':
        status = this.#execute(node.condition);
        if (this.#returning) break;
        this.#pending = undefined;
        status = this.#execute(this.#environment.status === 0 ? node.then : node.otherwise);
        break;
      case 'for':
        status = this.#for(node);
        break;
      default:
        status = this.#while(node);
    }
    this.#depth--;
    this.#environment.status = status;
    return status;
  }

  #for(node: Command & { kind: 'for' }): number {
    const values = expand(node.words, this);
    let status = 0;
    this.#loops++;
    for (const value of values) {
      this.budget.step();
      if (this.#goOn && this.#breaks === 1) this.#breaks = 0;
      if (this.#breaks > 0) continue;
      this.set(node.name, value);
      status = this.#execute(node.body);
      if (this.#returning) break;
    }
    if (this.#breaks > 0) this.#breaks--;
    this.#loops--;
    return status;
  }

  #while(node: Command & { kind: 'while' }): number {
    let status: number;
    this.#loops++;
    for (;;) {
      this.budget.step();
      status = this.#execute(node.condition);
      if (this.#returning) break;
      if (node.until ? status === 0 : status !== 0) break;
      status = this.#execute(node.body);
      if (this.#returning) break;
      if (this.#breaks === 1 && this.#goOn) this.#breaks = 0;
      if (this.#breaks > 0) break;
    }
    if (this.#breaks > 0) this.#breaks--;
    this.#loops--;
    return status;
  }

  #simple(node: Command & { kind: 'simple' }): number {
    const args = expand(node.words, this);
    if (node.block !== undefined) args.push(`{${node.block}}`);
    let name = args.shift();
    if (name === undefined) return 0;
    const invert = name === '!';
    if (invert) {
      name = args.shift();
      if (name === undefined) {
        this.#pending = 'no command is specified';
        return GRUB_ERROR.badArgument;
      }
    }
    let status: number;
    const { commands } = this.shared;
    let handler = commands.get(name);
    const body = handler ? undefined : this.functions.get(name);
    if (!handler && !body) handler = commands.last(name);
    if (handler) {
      if (this.#extracting > 0 && !FOR_EXTRACTORS.has(name))
        status = this.error(`${name} isn't allowed to execute in an extractor`, GRUB_ERROR.extractor);
      else {
        this.block = node.block;
        status = handler(this, args, name);
        this.block = undefined;
      }
    } else if (body) status = this.#call(name, body, args);
    else {
      // GRUB's status of an assignment, and of a command that it does not know, is 0.
      this.#assign(name);
      return 0;
    }
    // `!` makes a failure of the success, which takes the place of what was left behind.
    if (invert && status === 0) this.#pending = undefined;
    this.#sayPending();
    if (invert) status = status === 0 ? GRUB_ERROR.testFailure : 0;
    this.#environment.status = status;
    return status;
  }

  #sayPending(): void {
    if (this.#pending === undefined) return;
    this.error(this.#pending);
    this.#pending = undefined;
  }

  #assign(text: ByteString): void {
    const equals = text.indexOf('=');
    if (equals < 0) {
      this.error(`can't find command \`${cutName(text)}'`);
      return;
    }
    const name = text.slice(0, equals);
    if (isSpecialName(name)) this.error(`invalid variable name \`${name}'`);
    else this.set(name, text.slice(equals + 1));
  }

  #call(name: ByteString, body: List, args: ByteString[]): number {
    const { parameters } = this;
    const loops = this.#loops;
    const running = this.#running.get(name) ?? 0;
    this.#loops = 0;
    this.parameters = args;
    this.#running.set(name, running + 1);
    const status = this.#execute(body);
    this.#running.set(name, running);
    this.#returning = false;
    this.#loops = loops;
    this.parameters = parameters;
    return status;
  }
}
