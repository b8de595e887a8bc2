/** From a script that has run to the menu that GRUB would show, and from a chosen entry to what it boots. */
import { GuestError } from '../../bytes/errors';
import { type ByteString, printable } from '../../bytes/text';
import { defaultChoice } from '../choose';
import { PV_GRUB, payload } from '../guest';
import type { BootMenu, BootTarget, GuestFile, MenuEntry, Timeout } from '../model';
import type { LoaderState, Machine, NewEntry } from './commands/types';
import { because, type Interpreter, MenuShown, Stop } from './evaluate';
import { addEntriesInstead } from './instead';

/** Menus that open menus; a submenu that includes itself must end. */
const MAX_LEVEL = 12;

/** How a script ended. */
type End = Stop | MenuShown | GuestError | { readonly status: number };

function run(body: () => number): End {
  try {
    return { status: body() };
  } catch (error) {
    if (error instanceof Stop || error instanceof MenuShown || error instanceof GuestError) return error;
    throw error;
  }
}

const words = (value: ByteString | undefined): ByteString[] =>
  (value ?? '').split(/[ \t\r\n]+/).filter((w) => w !== '');

/** GRUB reads `timeout` with C's prefixes and takes nonsense for unset; -1 waits for ever. */
function parseTimeout(value: ByteString | undefined): Timeout {
  const number = /^\s*(-?)(0x[0-9a-f]+|0[0-7]*|[1-9]\d*)/i.exec(value ?? '');
  if (!number) return null;
  const digits = number[2]!;
  const size = /^0[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number(digits);
  return number[1] === '-' ? (size === 0 ? 0 : -1) : Math.min(size, 0x7fffffff);
}

/** The menu that GRUB would show in the state that `machine` has come to. */
export function buildMenu(machine: Interpreter, end: End, extraWarnings: readonly string[] = []): BootMenu {
  const warnings = [...extraWarnings, ...machine.warnings];
  let shown = machine.entries;
  let immediate: BootTarget | undefined;
  if (end instanceof GuestError)
    warnings.push(`the configuration was not read to its end: ${end.describe()}`);
  else if (end instanceof Stop) {
    // No menu is ever shown then.
    shown = [];
    if (end.how === 'boot') immediate = target(machine, end);
    else warnings.push(`the configuration ends with ${STOPPED[end.how]}, before a menu is shown`);
  }
  const style = machine.get('timeout_style');
  const passwords = machine.memory.get('passwords') as BootMenu['passwords'];
  const superusers = superusersOf(machine);
  const shell = () => require('./shell') as typeof import('./shell');
  return {
    entries: shown.map(
      (entry) => entry.foreign ?? (entry.submenu ? new Submenu(machine, entry) : new Entry(machine, entry)),
    ),
    default: machine.get('default'),
    fallback: words(machine.get('fallback')),
    timeout: parseTimeout(machine.get('timeout')),
    timeoutStyle: style === 'hidden' || style === 'countdown' ? style : 'menu',
    console: machine.console,
    warnings,
    ...(passwords ? { passwords } : {}),
    ...(superusers ? { superusers } : {}),
    ...(immediate ? { immediate } : {}),
    get colours() {
      return shell().coloursOf(machine);
    },
    shell: () => shell().shellOf(machine),
  };
}

/** Those who may do everything; undefined: anybody may. A list without names locks everybody out, as in GRUB. */
export function superusersOf(machine: Machine): ByteString[] | undefined {
  return machine
    .get('superusers')
    ?.split(/[\s,;|&]+/)
    .filter((user) => user !== '');
}

const STOPPED = { halt: 'halt', reboot: 'reboot', exit: 'exit', boot: 'boot' } as const;

/** Runs a configuration's top level. */
export function evaluateTop(machine: Interpreter, text: ByteString, name: ByteString): BootMenu {
  return buildMenu(
    machine,
    run(() => {
      machine.runConfig(text, name);
      if (machine.entries.length === 0 && !machine.loader.kernel) addEntriesInstead(machine);
      return 0;
    }),
  );
}

const quote = (argument: ByteString): ByteString => `'${argument.replaceAll("'", "'\\''")}'`;

class Entry implements MenuEntry {
  readonly title: ByteString;
  readonly id: ByteString;

  constructor(
    /** The scope whose menu shows it; it does not run any more. */
    protected readonly origin: Interpreter,
    protected readonly entry: NewEntry,
  ) {
    this.title = entry.title;
    this.id = entry.id ?? entry.title;
  }

  get text(): ByteString {
    return `setparams ${this.entry.args.map(quote).join(' ')}\n${this.entry.body}`;
  }

  get hidden(): boolean {
    return this.entry.hidden ?? false;
  }

  get hotkey(): ByteString | undefined {
    return this.entry.hotkey;
  }

  get classes(): readonly ByteString[] {
    return this.entry.classes ?? [];
  }

  get users(): readonly ByteString[] | undefined {
    const superusers = superusersOf(this.origin);
    if (this.entry.unrestricted || superusers === undefined) return undefined;
    return [...superusers, ...(this.entry.users ?? [])].filter((user) => user !== '');
  }

  resolve(edited?: ByteString): BootTarget {
    const machine = this.fork(false);
    return target(
      machine,
      run(() => this.execute(machine, edited)),
    );
  }

  protected fork(newContext: boolean): Interpreter {
    const { context } = this.origin;
    const budget = context.budget.child('entry', `menuentry '${printable(this.title, 60)}'`);
    return this.origin.fork(budget, newContext);
  }

  /** GRUB's `chosen` and `default` while an entry runs, then its commands. */
  protected execute(machine: Interpreter, edited?: ByteString): number {
    const chosen = this.origin.get('chosen');
    const id = this.id.replaceAll('>', '>>');
    machine.set('chosen', chosen === undefined ? id : `${chosen}>${id}`);
    machine.export('chosen');
    const rest = /^(?:[^>]|>>)*>(?!>)([\s\S]+)$/.exec(this.origin.get('default') ?? '');
    if (rest) machine.set('default', rest[1]!);
    else machine.unset('default');
    // GRUB's text of an entry starts with a successful `setparams`.
    machine.parameters = this.entry.args;
    machine.set('?', '0');
    return machine.runSource(edited ?? this.entry.body);
  }
}

class Submenu extends Entry {
  open(): BootMenu {
    const machine = this.fork(true);
    if (machine.level > MAX_LEVEL)
      return buildMenu(machine, { status: 0 }, [`menus inside each other deeper than ${MAX_LEVEL}`]);
    if (machine.quiet) machine.set('timeout', '0');
    return buildMenu(
      machine,
      run(() => this.execute(machine)),
    );
  }

  override resolve(): BootTarget {
    return {
      kernel: undefined,
      initrds: [],
      args: '',
      root: this.origin.get('root') ?? '',
      problem: 'is a submenu',
      notes: [],
    };
  }
}

const place = (file: GuestFile): string => file.problem ?? printable(file.path);

/** What of a multiboot program and its modules can be booted without it. */
function fromModules(loader: LoaderState, notes: string[]): LoaderState {
  const { modules = [], hypervisor } = loader;
  const left = [...modules];
  const name = printable(hypervisor?.path ?? '');
  if (left.length === 0 && PV_GRUB.test(hypervisor?.path ?? ''))
    return { kernel: hypervisor, args: '', initrds: [] };
  if (left.length === 0)
    return { ...loader, foreign: `starts ${name}, which cannot be booted here (multiboot without modules)` };
  notes.push(`the hypervisor ${name} is left out, its first module is the kernel`);
  // tboot starts a hypervisor that in turn starts the kernel.
  while (left.length > 1 && /\/xen[^/]*$/.test(left[0]!.file.path)) {
    notes.push(`the hypervisor ${printable(left[0]!.file.path)} is left out as well`);
    left.shift();
  }
  const [kernel, initrd] = left;
  return { kernel: kernel!.file, args: kernel!.args, initrds: initrd ? [{ file: initrd.file }] : [] };
}

/** What an entry that has run boots. */
function target(machine: Interpreter, end: End): BootTarget {
  const notes = [...machine.warnings];
  if (end instanceof MenuShown) return targetOfMenu(machine, end, notes);
  const loader = machine.loader.modules ? fromModules(machine.loader, notes) : machine.loader;
  const { kernel, foreign } = loader;
  let { initrds } = loader;
  const missing = initrds.find((part) => part.file.problem !== undefined);
  const booted = end instanceof Stop ? end.how === 'boot' : !(end instanceof GuestError) && end.status === 0;
  const unloadable = kernel && payload(kernel, true).problem;
  let problem: string | null = null;
  if (end instanceof GuestError) problem = end.describe();
  else if (end instanceof Stop && end.how !== 'boot') problem = `ends with ${end.how}`;
  else if (foreign !== undefined) problem = foreign;
  else if (!kernel) problem = 'no kernel is loaded';
  else if (unloadable !== undefined) problem = unloadable;
  else if (missing && !booted) problem = `initrd ${place(missing.file)}`;
  else if (!booted && !(end instanceof Stop))
    problem = `its last command failed ($? is ${end.status}), so GRUB does not boot it`;
  else if (missing) {
    notes.push(`initrd ${place(missing.file)}; it is left out, as GRUB would`);
    initrds = initrds.filter((part) => part.file.problem === undefined);
  }
  if (problem) problem = because(machine, problem);
  const saves = machine.memory.get('saves') as BootTarget['saves'];
  return { kernel, initrds, args: loader.args, root: machine.get('root') ?? '', problem, notes, saves };
}

/** An entry that leads to another configuration's menu boots that menu's default. */
function targetOfMenu(machine: Interpreter, end: MenuShown, notes: string[]): BootTarget {
  const empty = { kernel: undefined, initrds: [], args: '', root: machine.get('root') ?? '' };
  if (machine.level > MAX_LEVEL)
    return { ...empty, problem: `menus inside each other deeper than ${MAX_LEVEL}`, notes };
  const menu = buildMenu(machine, end);
  const choice = defaultChoice(menu, (message) => void notes.push(message));
  if (!choice) return { ...empty, problem: 'opens a menu without entries', notes, menu };
  notes.push(`opens another menu, of which '${printable(choice.titles.join(' > '))}' is the default`);
  const inner = choice.entry.resolve();
  return { ...inner, notes: [...notes, ...inner.notes], menu };
}
