/** From what the configuration says to the menu that the model wants, and from an entry to what it boots. */
import type { Budget } from '../../bytes/budget';
import { GuestError } from '../../bytes/errors';
import { LIMITS } from '../../bytes/limits';
import { variable } from '../../bytes/over';
import { type ByteString, fromBytes, printable } from '../../bytes/text';
import { readWhole } from '../../fs/file';
import { defaultChoice } from '../choose';
import { payload } from '../guest';
import type { BootContext, BootMenu, BootTarget, GuestFile, InitrdPart, MenuEntry, Password } from '../model';
import { plainMenu } from '../plain';
import { execute, type Lead, leadOf, load, type Shell } from './execute';
import {
  findLabel,
  firstWord,
  type Item,
  type Menu,
  type Parsed,
  parse,
  type Reader,
  type Source,
  wordLength,
} from './parser';
import { Place } from './place';

const tooDeep = (most: number): string => `menus deeper than ${most} (${variable('includeDepth')})`;

const FSUUID = 0x40000;

/** One configuration that is being read, and those that led to it. */
export interface Session {
  readonly ctx: BootContext;
  readonly place: Place;
  /** Names of the configurations from the first to this one; one that leads back to any of them is not opened. */
  readonly chain: readonly string[];
}

/** What several items of one menu share. */
interface Shared {
  readonly session: Session;
  readonly parsed: Parsed;
  readonly reader: Reader;
  /** Labels and DEFAULT as the core knows them. */
  readonly core: Parsed;
}

const empty = (warnings: readonly string[]): BootMenu => plainMenu([], { warnings });

/** FSUUID= as the filesystem prints it; the other words describe a machine that is not there. */
function sysappendWords(place: Place, mask: number): ByteString {
  const { uuid } = place.config.fs;
  return mask & FSUUID && uuid !== undefined ? ` FSUUID=${uuid}` : '';
}

function source(place: Place, ctx: BootContext, budget: Budget): Source {
  return {
    file: (name) => payload(place.file(name)),
    text: (file) => place.text(file, { ...ctx, budget }),
    spend: (steps) => budget.step(steps),
    budget,
    sysappend: (mask) => sysappendWords(place, mask),
  };
}

/**
 * Reads a configuration as the core does and goes where it goes by itself.
 * @throws GuestError when the file itself cannot be read
 */
export function startCore(session: Session): BootMenu {
  const { place, ctx } = session;
  const budget = ctx.budget.child('evaluation', 'the configuration');
  const { config } = place;
  const text = fromBytes(readWhole(config.fs, config.node, 'configBytes', { ...ctx, budget }));
  const core = parse([() => text], 'core', source(place, ctx, budget));
  const shared: Shared = { session, parsed: core, reader: 'core', core };
  const command = core.defaultCommand;
  if (command !== undefined) {
    const left = trace();
    const { notes } = left;
    const lead = leadOf(() => load(shell(shared, budget, left), command));
    const next = lead.to === 'menu' || lead.to === 'config' ? opener(shared, lead) : undefined;
    if (next && 'open' in next) {
      const menu = next.open();
      return {
        ...menu,
        console: core.console + menu.console,
        // The core reads what the menu reads as well: each warning once.
        warnings: [...new Set([...warningsOf(core), ...notes, ...menu.warnings])],
        totalTimeout: menu.totalTimeout ?? (core.totalTimeout > 0 ? core.totalTimeout / 10 : undefined),
      } as BootMenu;
    }
  }
  return promptMenu(shared);
}

/** What running a command leaves behind. */
interface Trace {
  readonly notes: string[];
  /** Words that INITRD put into the command line. */
  readonly added: ByteString[];
}

const trace = (): Trace => ({ notes: [], added: [] });

function shell(shared: Shared, budget: Budget, { notes, added }: Trace): Shell {
  const { place } = shared.session;
  return {
    labels: shared.core,
    reader: 'core',
    iso: place.iso,
    exists: (name) => place.file(name).found?.node.kind === 'file',
    spend: (steps) => budget.step(steps),
    budget,
    note: (text) => void notes.push(text),
    added: (words) => void added.push(words),
  };
}

/** How a lead to another configuration is opened, or why it is not. */
function opener(
  shared: Shared,
  lead: Lead & { to: 'menu' | 'config' },
): { open: () => BootMenu } | { problem: string } {
  const { session } = shared;
  const { ctx, place, chain } = session;
  const { includeDepth } = ctx.budget.limits;
  if (chain.length > includeDepth) return { problem: tooDeep(includeDepth) };
  const guarded = (body: () => BootMenu) => (): BootMenu => {
    try {
      return body();
    } catch (error) {
      if (!(error instanceof GuestError)) throw error;
      return empty([error.describe()]);
    }
  };
  const main = place.config.path;
  if (lead.to === 'config') {
    const next = place.at(lead.file, lead.directory);
    if (!(next instanceof Place)) return { problem: next.problem ?? 'not found' };
    const { path } = next.config;
    const name = `config ${path} ${next.cwd}`;
    if (chain.includes(name)) return { problem: `leads back to the menu of ${printable(path)}` };
    return { open: guarded(() => startCore({ ctx, place: next, chain: [...chain, name] })) };
  }
  const files = lead.files.length === 0 ? ['~'] : lead.files;
  const paths = files.map((file) => (file === '~' ? main : place.file(file).path));
  const name = `menu ${paths.join(' ')}`;
  if (chain.includes(name)) return { problem: `leads back to the menu of ${printable(paths.join(', '))}` };
  return {
    open: guarded(() => {
      const budget = ctx.budget.child('evaluation', 'the configuration');
      const from = source(place, ctx, budget);
      const warnings: string[] = [];
      const texts = files.map((file) => () => {
        const found: GuestFile =
          file === '~'
            ? { volume: place.config.volume, path: main, found: place.config }
            : payload(place.file(file));
        if (found.found) return from.text(found);
        warnings.push(`${found.problem ?? printable(file)}; it is skipped, as syslinux does`);
        return '';
      });
      const parsed = parse(texts, 'menu', from);
      const inner = { ...session, chain: [...chain, name] };
      const menu = moduleMenu({ session: inner, parsed, reader: 'menu', core: shared.core });
      return { ...menu, warnings: [...warnings, ...menu.warnings] };
    }),
  };
}

/** Entries of a menu, separators left out. */
const entriesOf = (menu: Menu): Item[] => menu.items.filter((item) => !item.separator);

/** Positions from the top menu down to an item. */
function pathTo(root: Menu, wanted: Item): number[] | undefined {
  const find = (menu: Menu): number[] | undefined => {
    const items = entriesOf(menu);
    const at = items.indexOf(wanted);
    if (at >= 0) return [at];
    for (const [i, item] of items.entries()) {
      const inner = item.submenu && find(item.submenu);
      if (inner) return [i, ...inner];
    }
    return undefined;
  };
  return find(root);
}

const selectable = (item: Item): boolean => !item.separator && !item.hidden && item.action !== 'disabled';

/** The item that a menu starts on, and whether it stays there by itself. */
function startItem(menu: Menu): { item: Item | undefined; waits: boolean } {
  const shown = menu.items.filter((item) => !item.hidden);
  const item = menu.defaultItem ?? shown[0];
  if (item && selectable(item)) return { item, waits: false };
  // The bar moves on to the next line that can be chosen, and that cancels the timeout.
  const next = shown.slice(item ? shown.indexOf(item) : 0).find(selectable) ?? shown.find(selectable);
  return { item: next, waits: true };
}

function defaultPath(root: Menu, menu: Menu, depth = 0): number[] | undefined {
  const { item } = startItem(menu);
  if (!item) return undefined;
  if (item.submenu && depth < LIMITS.includeDepth) {
    const inner = defaultPath(root, item.submenu, depth + 1);
    if (inner) return inner;
  }
  return pathTo(root, item);
}

const common = (parsed: Parsed) => ({
  console: parsed.console,
  timeoutStyle: parsed.hiddenMenu ? ('hidden' as const) : ('menu' as const),
  ...(parsed.totalTimeout > 0 ? { totalTimeout: parsed.totalTimeout / 10 } : {}),
});

const seconds = (tenths: number): number => (tenths > 0 ? tenths / 10 : -1);

const MOST_NAMED = 20;

const shortened = (list: readonly string[]): string =>
  list.slice(0, MOST_NAMED).join(', ') +
  (list.length > MOST_NAMED ? ` and ${list.length - MOST_NAMED} more` : '');

function warningsOf(parsed: Parsed): string[] {
  const { missing } = parsed;
  const skipped =
    missing.size > 0
      ? [`skipped, as syslinux does, what cannot be included: ${shortened([...missing])}`]
      : [];
  const saved = parsed.menuSave
    ? ["MENU SAVE: the choice saved in ldlinux.sys is not read, the configuration's own default counts"]
    : [];
  return [...parsed.warnings, ...skipped, ...saved];
}

/** The core's prompt: labels are typed, DEFAULT boots by itself. */
function promptMenu(shared: Shared): BootMenu {
  const { core } = shared;
  const entries: MenuEntry[] = itemsAsEntries(shared, core.root);
  const warnings = warningsOf(core);
  /** A command as typed: the entry itself where it is just a label. */
  const typed = (command: ByteString, hidden: boolean): number[] => {
    const item = findLabel(core, command, 'core');
    const bare =
      item && (item.label === command.trimEnd() || wordLength(command) === command.trimEnd().length);
    const path = bare ? pathTo(core.root, item) : undefined;
    if (path) return path;
    entries.push(new CommandEntry(shared, command, 'load', hidden, undefined));
    return [entries.length - 1];
  };
  const command = core.defaultCommand;
  let start = command === undefined ? undefined : typed(command, false);
  const timesOut = core.prompt && !core.hasUi && (core.timeout > 0 || core.totalTimeout > 0);
  const late =
    (timesOut || command === undefined) && core.onTimeout ? typed(core.onTimeout, true) : undefined;
  if (!start && !late) {
    if (entries.length > 0) warnings.push('there is no DEFAULT, syslinux waits at its prompt');
    start = defaultPath(core.root, core.root);
  }
  const fallback: (ByteString | number)[] = [];
  if (core.onError) {
    const failing = command ?? '';
    const item = findLabel(core, core.onError, 'core');
    entries.push(
      new CommandEntry(
        shared,
        `${item ? item.command : core.onError} ${failing}`.trimEnd(),
        'execute',
        true,
        item,
      ),
    );
    fallback.push(entries.length - 1);
  }
  const atOnce = command !== undefined && (!core.prompt || core.hasUi);
  return {
    entries,
    default: late ?? start,
    ...(late && start ? { selected: start } : {}),
    fallback,
    timeout: atOnce ? 0 : command === undefined && core.timeout <= 0 ? null : seconds(core.timeout),
    ...common(core),
    timeoutStyle: 'menu',
    ...locksOf(core, core.root),
    warnings,
  };
}

/** menu.c32 and vesamenu.c32. */
function moduleMenu(shared: Shared): BootMenu {
  const { parsed } = shared;
  const { root } = parsed;
  let start = parsed.start;
  if (parsed.hasUi && parsed.globalDefault !== undefined) {
    const item = findLabel(parsed, parsed.globalDefault, 'menu');
    const home = item && !item.hidden ? menuOf(root, item) : undefined;
    if (item && home) {
      home.defaultItem = item;
      start = home;
    }
  }
  const entries = itemsAsEntries(shared, root);
  const warnings = warningsOf(parsed);
  const { item, waits } = startItem(start);
  const selected = item && defaultPath(root, start);
  if (waits && item && start.timeout > 0)
    warnings.push(
      'the menu waits for a person, because its first line cannot be chosen; the first that can is taken',
    );
  const command = (text: ByteString): number[] => {
    const named = findLabel(parsed, text, 'menu');
    const bare = named && (named.label === text || wordLength(text) === text.length);
    const path = bare ? pathTo(root, named) : undefined;
    if (path) return path;
    const rest = named ? text.slice(wordLength(text)) : '';
    entries.push(new CommandEntry(shared, named ? named.command + rest : text, 'execute', true, named));
    return [entries.length - 1];
  };
  const timesOut = start.timeout > 0 || parsed.totalTimeout > 0;
  const late = timesOut && !parsed.shiftKey && start.onTimeout ? command(start.onTimeout) : undefined;
  const error = start.onError ? command(start.onError) : undefined;
  return {
    entries,
    default: late ?? selected,
    ...(late && selected ? { selected } : {}),
    fallback: error ? [error.length === 1 ? error[0]! : error.join('>')] : [],
    timeout: parsed.shiftKey ? 0 : seconds(start.timeout),
    ...common(parsed),
    ...locksOf(parsed, start),
    warnings,
  };
}

function menuOf(root: Menu, wanted: Item): Menu | undefined {
  if (root.items.includes(wanted)) return root;
  for (const item of root.items) {
    const inner = item.submenu && menuOf(item.submenu, wanted);
    if (inner) return inner;
  }
  return undefined;
}

/** Who may do what: ALLOWOPTIONS, MENU MASTER PASSWD. */
const locksOf = (parsed: Parsed, menu: Menu): Pick<BootMenu, 'passwords' | 'superusers' | 'editable'> => ({
  ...(parsed.allowOptions ? {} : { editable: false }),
  ...(menu.master ? { passwords: new Map([['', menu.master]]), superusers: [''] } : {}),
});

function itemsAsEntries(shared: Shared, menu: Menu): MenuEntry[] {
  return entriesOf(menu).map((item) =>
    item.submenu ? new SubmenuEntry(shared, item, item.submenu) : new LabelEntry(shared, item, menu),
  );
}

const target = (shared: Shared, problem: string | null, notes: readonly string[] = []): BootTarget => ({
  kernel: undefined,
  initrds: [],
  args: '',
  root: shared.session.place.config.volume.name,
  problem,
  notes,
});

const MAGIC_AT = 0x202;

/** Whether the file is a Linux kernel for the boot protocol, or an ELF or compressed one. */
function isKernel(file: GuestFile, budget: Budget): boolean {
  const { found } = file;
  if (!found) return false;
  for (const extent of found.fs.extents(found.node)) {
    if (extent.offset > 0) return false;
    const length = Math.min(extent.length, found.node.size, 1024);
    const bytes = Buffer.alloc(length);
    if (extent.kind === 'data') {
      budget.read(length);
      extent.source.read(extent.at, bytes);
    } else if (extent.kind === 'inline') bytes.set(extent.bytes.subarray(0, length));
    else if (extent.kind === 'packed') bytes.set(extent.unpack().subarray(0, length));
    const text = bytes.toString('latin1');
    return text.startsWith('HdrS', MAGIC_AT) || text.startsWith('\x7fELF') || text.startsWith('\x1f\x8b');
  }
  return false;
}

/** What a command boots. Never throws a GuestError. */
function boot(shared: Shared, lead: Lead, budget: Budget, { notes, added }: Trace, depth = 0): BootTarget {
  const { place } = shared.session;
  if (lead.to === 'nothing') return target(shared, lead.problem, notes);
  if (lead.to !== 'kernel') {
    const next = opener(shared, lead);
    if ('problem' in next) return target(shared, next.problem, notes);
    const { includeDepth } = shared.session.ctx.budget.limits;
    if (depth > includeDepth) return target(shared, tooDeep(includeDepth), notes);
    const menu = next.open();
    const choice = defaultChoice(menu, (message) => void notes.push(message));
    if (!choice) return target(shared, menu.warnings[0] ?? 'opens a menu without entries', notes);
    notes.push(`opens another menu, of which '${printable(choice.titles.join(' > '))}' is the default`);
    const inner = choice.entry.resolve();
    return { ...inner, notes: [...notes, ...inner.notes] };
  }
  let kernel = payload(place.file(lead.kernel), true);
  if (lead.image && kernel.found && !isKernel(kernel, budget))
    kernel = {
      ...kernel,
      problem: `starts ${printable(kernel.path)}, a floppy image: cannot be booted here`,
    };
  const initrds: InitrdPart[] = lead.initrds.map(({ name, newcName }) => {
    budget.step();
    const file =
      name === ''
        ? { volume: place.config.volume, path: '', problem: 'initrd= without a name' }
        : payload(place.file(name));
    return newcName === undefined ? { file } : { file, newcName };
  });
  const missing = initrds.find((part) => part.file.problem !== undefined);
  let args = lead.args;
  // What INITRD put there for the loader's own use is not the guest's; nor is BOOT_IMAGE=.
  for (const words of added) {
    const at = ` ${args}`.lastIndexOf(words);
    if (at >= 0) args = (` ${args}`.slice(0, at) + ` ${args}`.slice(at + words.length)).slice(1);
  }
  return {
    ...target(shared, kernel.problem ?? (missing ? `initrd ${missing.file.problem}` : null), notes),
    kernel,
    initrds,
    args,
  };
}

abstract class Entry implements MenuEntry {
  abstract readonly title: ByteString;
  abstract readonly id: ByteString;
  abstract readonly text: ByteString;

  constructor(protected readonly shared: Shared) {}

  abstract resolve(edited?: ByteString): BootTarget;

  protected get budget(): Budget {
    const { ctx } = this.shared.session;
    return ctx.budget.child('entry', `label '${printable(this.title, 60)}'`);
  }

  /** @param item whose command it is, in whole or in part */
  protected run(command: ByteString, how: 'load' | 'execute', item?: Item): BootTarget {
    const { budget, shared } = this;
    const left = trace();
    if (item && item.sysappend & ~(FSUUID | 3))
      left.notes.push('SYSAPPEND asks for values of a real machine, which are left out');
    if (item?.initrd !== undefined) left.added.push(` initrd=${item.initrd}`);
    try {
      const lead = (how === 'load' ? load : execute)(shell(shared, budget, left), command);
      return boot(shared, lead, budget, left);
    } catch (error) {
      if (!(error instanceof GuestError)) throw error;
      return target(shared, error.describe(), left.notes);
    }
  }
}

/** A command line that is not a label's: DEFAULT with arguments, ONTIMEOUT, ONERROR. */
class CommandEntry extends Entry {
  readonly title: ByteString;
  readonly id: ByteString;

  constructor(
    shared: Shared,
    readonly text: ByteString,
    private readonly how: 'load' | 'execute',
    readonly hidden: boolean,
    private readonly item: Item | undefined,
  ) {
    super(shared);
    this.title = text;
    this.id = text;
  }

  resolve(edited?: ByteString): BootTarget {
    return this.run(edited ?? this.text, this.how, this.item);
  }
}

const plainTitle = (display: ByteString): ByteString => display.replaceAll('^', '');

class LabelEntry extends Entry {
  readonly title: ByteString;
  readonly id: ByteString;
  readonly open?: () => BootMenu;

  constructor(
    shared: Shared,
    private readonly item: Item,
    private readonly menu: Menu,
  ) {
    super(shared);
    this.id = item.label ?? '';
    this.title = plainTitle(item.display);
    const type = firstWord(item.command);
    // Only a program or another configuration can lead to a menu; everything else waits until it is chosen.
    if (item.action !== 'command' || !(type === '.com32' || type === '.config' || type.endsWith('.c32')))
      return;
    const { budget } = this;
    const lead = leadOf(() => execute(shell(shared, budget, trace()), item.command));
    if (lead.to !== 'menu' && lead.to !== 'config') return;
    const next = opener(shared, lead);
    if (!('open' in next)) return;
    let opened: BootMenu | undefined;
    this.open = () => (opened ??= next.open());
  }

  get text(): ByteString {
    return this.item.command;
  }

  get hidden(): boolean {
    return this.item.hidden;
  }

  get hotkey(): ByteString | undefined {
    return this.item.hotkey;
  }

  get users(): readonly ByteString[] | undefined {
    return this.item.password === 'master' ? [''] : undefined;
  }

  get password(): Password | undefined {
    return this.item.password === 'master' ? undefined : this.item.password;
  }

  resolve(edited?: ByteString): BootTarget {
    const { item, shared } = this;
    if (edited !== undefined) return this.run(edited, 'execute', item);
    if (this.open) return target(shared, 'is a submenu');
    switch (item.action) {
      case 'disabled':
        return target(shared, 'cannot be chosen (MENU DISABLE)');
      case 'quit':
        return target(shared, 'leaves the menu for the prompt (MENU QUIT)');
      case 'help':
        return target(shared, 'shows a text (MENU HELP)');
      case 'goto':
      case 'exit':
        return this.#otherMenu();
    }
    return this.run(item.command, 'execute', item);
  }

  /** The default of the menu that MENU GOTO or MENU EXIT names; a menu around this one boots nothing new. */
  #otherMenu(): BootTarget {
    const { item, shared, menu } = this;
    const { parsed } = shared;
    const next = item.leadsTo === '' ? menu.parent : parsed.menus.get(item.leadsTo);
    if (!next) return target(shared, `there is no menu '${printable(item.leadsTo)}'`);
    const name = printable(next.tag ?? next.title);
    for (let around: Menu | undefined = menu; around; around = around.parent)
      if (around === next) return target(shared, `goes back to the menu '${name}'`);
    const first = startItem(next).item;
    if (!first || first.submenu || first.action !== 'command')
      return target(shared, `opens the menu '${name}'`);
    const inner = new LabelEntry(shared, first, next).resolve();
    const note = `opens the menu '${name}', of which '${printable(plainTitle(first.display))}' is the default`;
    return { ...inner, notes: [note, ...inner.notes] };
  }
}

class SubmenuEntry extends Entry {
  constructor(
    shared: Shared,
    private readonly item: Item,
    private readonly menu: Menu,
  ) {
    super(shared);
  }

  get title(): ByteString {
    return plainTitle(this.item.display);
  }

  get id(): ByteString {
    return this.menu.tag ?? this.title;
  }

  get text(): ByteString {
    return '';
  }

  get hotkey(): ByteString | undefined {
    return this.item.hotkey;
  }

  get users(): readonly ByteString[] | undefined {
    return this.item.password === 'master' ? [''] : undefined;
  }

  get password(): Password | undefined {
    return this.item.password === 'master' ? undefined : this.item.password;
  }

  open(): BootMenu {
    const { menu, shared } = this;
    const at = defaultPath(menu, menu);
    return {
      ...empty([]),
      entries: itemsAsEntries(shared, menu),
      default: at,
      timeout: seconds(menu.timeout),
      ...locksOf(shared.parsed, menu),
    };
  }

  resolve(): BootTarget {
    return target(this.shared, 'is a submenu');
  }
}
