/**
 * GRUB's command line over a guest, without a terminal: a line is run, and what it printed comes back. Facts: GRUB
 * manual, "The flexible command-line interface"; behaviour checked against grub-emu 2.06.
 */
import { GuestError } from '../../bytes/errors';
import { type ByteString, fromHost } from '../../bytes/text';
import type { BootContext, Colours, Completion, ConfigFile, Shell, ShellResult } from '../model';
import { printHelp } from './commands/help';
import type { CommandHandler, Machine } from './commands/types';
import { complete } from './complete';
import { freshScope } from './dialect';
import type { Interpreter, MenuShown, Stop } from './evaluate';
import { buildMenu } from './menu';
import { parseLine } from './parser';

/** Bytes of one statement; nobody types more. */
const MAX_STATEMENT = 64 * 1024;

/** What a line's notes may say. */
const MAX_NOTES = 20;

const READ = /^[ \t]*read(?:[ \t]+([A-Za-z_]\w*))?[ \t;]*$/;

class GrubShell implements Shell {
  /** What the lines so far have come to. It does not run any more: each line runs in a scope over it. */
  #state: Interpreter;
  /** Lines of a statement that is not complete. */
  #statement = '';
  /** The variable that the next line is the value of; `''`: of none. */
  #reading: ByteString | undefined;
  /** The scope of the line that runs. */
  #running: Interpreter | undefined;
  #leaves = false;
  /** Bytes that the line had printed when it cleared the screen. */
  #clearedAt = -1;
  readonly #context: BootContext;
  readonly #own: ReadonlyMap<ByteString, CommandHandler>;
  readonly #commands: Interpreter['shared']['commands'];

  constructor(origin: Interpreter) {
    this.#state = origin;
    this.#context = origin.context;
    const { commands } = origin.shared;
    const own = new Map<ByteString, CommandHandler>([
      ['help', (machine, args) => printHelp(machine, this.#names(), args)],
      [
        'clear',
        () => {
          this.#clearedAt = this.#running?.console.length ?? 0;
          return 0;
        },
      ],
      [
        'normal',
        (machine, args) => {
          machine.runFile(args[0] ?? `${machine.get('prefix') ?? ''}/grub.cfg`, 'source');
          machine.showMenu();
          return 0;
        },
      ],
      [
        'normal_exit',
        (machine) => {
          this.#leaves = true;
          return machine.stop('exit');
        },
      ],
    ]);
    this.#own = own;
    this.#commands = {
      get: (name) => own.get(name) ?? commands.get(name),
      last: (name) => commands.last(name),
      names: () => commands.names(),
    };
  }

  run(line: ByteString): ShellResult {
    let output = '';
    let result: ShellResult = { output, how: 'done' };
    // Several lines at once can only come from a terminal that pastes.
    for (const one of line.split('\n')) {
      result = this.#line(one);
      output += result.output;
      if (result.how !== 'done' && result.how !== 'more') break;
    }
    return { ...result, output };
  }

  complete(line: ByteString, cursor: number): Completion {
    if (this.#reading !== undefined) return { start: cursor, insert: '', candidates: [] };
    const scope = this.#scope('completion');
    return complete(line.slice(0, cursor), {
      scope,
      commands: () => this.#names(),
      functions: () => scope.functions.entries().keys(),
    });
  }

  reset(): void {
    this.#statement = '';
    this.#reading = undefined;
  }

  #names(): ByteString[] {
    const { harmless } = require('./commands/rare') as typeof import('./commands/rare');
    const names = new Set([...this.#commands.names(), ...Object.keys(harmless), ...this.#own.keys()]);
    return [...names].sort((a, b) => (a < b ? -1 : 1));
  }

  /** A scope over the state, with a budget of its own. */
  #scope(what: string): Interpreter {
    const state = this.#state;
    const scope = state.fork(this.#context.budget.child('entry', what), false, state.level, {
      context: this.#context,
      commands: this.#commands,
    });
    scope.entries = [...state.entries];
    return scope;
  }

  #line(line: ByteString): ShellResult {
    if (this.#reading !== undefined) return this.#read(this.#reading, line);
    const text = `${this.#statement}${line}\n`;
    if (this.#statement === '') {
      const read = READ.exec(line);
      if (read) {
        this.#reading = read[1] ?? '';
        return { output: '', how: 'more' };
      }
    }
    const scope = this.#scope('this line');
    this.#statement = '';
    let end: Stop | MenuShown | GuestError | undefined;
    this.#leaves = false;
    this.#clearedAt = -1;
    this.#running = scope;
    try {
      if (text.length > MAX_STATEMENT) return { output: 'error: out of memory.\n', how: 'done' };
      // The parser has come to the end of the text, where GRUB's asks for another line.
      if (parseLine(text, 0, () => {}, scope.budget).errors?.[0] === 'out of memory') {
        this.#statement = text;
        return { output: '', how: 'more' };
      }
      scope.runSource(text, true);
    } catch (error) {
      if (error instanceof Error && !(error instanceof GuestError)) throw error;
      // The script's own ends are no errors.
      end = error as Stop | MenuShown | GuestError;
    }
    return this.#result(scope, end);
  }

  #result(scope: Interpreter, end: Stop | MenuShown | GuestError | undefined): ShellResult {
    const output = scope.console;
    if (end instanceof GuestError) return { output: `${output}${failed(end.describe())}`, how: 'done' };
    if (end && !('how' in end)) return { output, how: 'menu', menu: buildMenu(scope, end) };
    if (end) {
      if (end.how !== 'boot')
        return this.#leaves ? { output, how: 'leave' } : { output, how: 'end', reason: end.how };
      const target = buildMenu(scope, end).immediate!;
      this.#state = scope;
      if (target.problem === null) return { output, how: 'boot', target };
      return { output: `${output}${failed(target.problem)}`, how: 'done' };
    }
    this.#state = scope;
    const notes = scope.warnings.slice(0, MAX_NOTES).map((warning) => `note: ${fromHost(warning)}\n`);
    const all = output + notes.join('');
    return { output: all, how: this.#clearedAt === all.length ? 'clear' : 'done' };
  }

  #read(name: ByteString, line: ByteString): ShellResult {
    this.#reading = undefined;
    if (name === '') return { output: '', how: 'done' };
    const scope = this.#scope('this line');
    try {
      scope.set(name, line);
    } catch (error) {
      if (!(error instanceof GuestError)) throw error;
      return { output: failed(error.describe()), how: 'done' };
    }
    this.#state = scope;
    return { output: '', how: 'done' };
  }
}

const failed = (message: string): ByteString => `error: ${fromHost(message)}.\n`;

/** Goes on from the state of a menu that GRUB's script made. */
export const shellOf = (origin: Interpreter): Shell => new GrubShell(origin);

/** For a menu of any other format: a fresh environment, `root` is where the configuration was. */
export const shellFor = (config: ConfigFile, ctx: BootContext): Shell =>
  new GrubShell(freshScope(config, ctx));

const COLOURS = {
  normal: 'color_normal',
  highlight: 'color_highlight',
  menuNormal: 'menu_color_normal',
  menuHighlight: 'menu_color_highlight',
} as const;

/** The colours that a configuration set; GRUB's own are left out. */
export function coloursOf(machine: Machine): Colours {
  const colours: Record<string, ByteString> = {};
  for (const [key, name] of Object.entries(COLOURS)) {
    const value = machine.get(name);
    if (value && value !== 'light-gray/black' && value !== 'black/light-gray') colours[key] = value;
  }
  return colours;
}
