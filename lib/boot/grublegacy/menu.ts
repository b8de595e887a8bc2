/** A configuration's menu: what stands before the first title, and the entries, as GRUB's cmain reads them. */
import type { Budget } from '../../bytes/budget';
import { GuestError } from '../../bytes/errors';
import { variable } from '../../bytes/over';
import { type ByteString, fromBytes, printable } from '../../bytes/text';
import { readWhole } from '../../fs/file';
import { defaultChoice, namedChoice } from '../choose';
import { payload, type Volume } from '../guest';
import type { BootContext, BootMenu, BootTarget, ConfigFile, MenuEntry, Password } from '../model';
import { plainMenu } from '../plain';
import { parseDevice } from './device';
import { EntryRun, guards } from './entry';
import { isKnown, MENU_AND_ENTRY, MENU_ONLY } from './known';
import { afterWord, commandArguments, commandName, configLines, firstWord, leadingNumber } from './lines';
import { parsePassword } from './password';
import { type Saved, savedEntry } from './saved';

/** MAX_FALLBACK_ENTRIES */
const FALLBACKS = 8;
/** Commands that one warning names. */
const NAMED = 6;

/** Steps that another menu costs: menus whose fallbacks all open menus are 8 to the power of their depth. */
const MENU_COST = 5000;

/** Where and under what a configuration is read. */
export interface Reading {
  readonly ctx: BootContext;
  readonly budget: Budget;
  /** GRUB's own partition; a `configfile` does not change it. */
  readonly home: Volume;
  /** `configfile` and `password … FILE` inside each other. */
  readonly level: number;
}

interface NewEntry {
  readonly title: ByteString;
  readonly lines: ByteString[];
}

/** What the lines of a configuration say. */
interface Parsed {
  readonly entries: NewEntry[];
  readonly warnings: string[];
  default: number | 'saved';
  fallback: number[];
  timeout: number | null;
  hidden: boolean;
  password: ReturnType<typeof parsePassword> | undefined;
  colours: BootMenu['colours'];
  /** A `configfile` before the first title. */
  configFile: ByteString;
}

/** `fallback 1 2`: a number twice, followed by another, is an error of GRUB's, and there is none then. */
function parseFallback(argument: ByteString): number[] | undefined {
  const list: number[] = [];
  let rest = argument;
  while (rest !== '' && list.length < FALLBACKS) {
    const number = leadingNumber(rest);
    if (!number) return undefined;
    rest = number.rest;
    if (list.includes(number.value)) continue;
    list.push(number.value);
    rest = rest.replace(/^[^ ]* */, '');
  }
  return list;
}

/** `color NORMAL [HIGHLIGHT]`; without the second, the first is turned round. */
function parseColours(argument: ByteString): BootMenu['colours'] {
  const menuNormal = firstWord(argument);
  const [foreground, background] = menuNormal.split('/');
  if (foreground === undefined || background === undefined) return undefined;
  return {
    menuNormal,
    menuHighlight: firstWord(afterWord(argument)) || `${background}/${foreground}`,
  };
}

function topCommand(parsed: Parsed, name: ByteString, argument: ByteString): void {
  switch (name) {
    case 'default':
      if (argument === 'saved') parsed.default = 'saved';
      else parsed.default = leadingNumber(argument)?.value ?? parsed.default;
      break;
    case 'fallback':
      parsed.fallback = parseFallback(argument) ?? parsed.fallback;
      break;
    case 'timeout':
      parsed.timeout = leadingNumber(argument)?.value ?? parsed.timeout;
      break;
    case 'hiddenmenu':
      parsed.hidden = true;
      break;
    case 'color':
      parsed.colours = parseColours(argument) ?? parsed.colours;
      break;
    case 'password':
      parsed.password = parsePassword(argument);
  }
}

const listed = (names: ReadonlySet<ByteString>): string => {
  const some = [...names].slice(0, NAMED).map((name) => `'${printable(name, 40)}'`);
  return `${some.join(', ')}${names.size > NAMED ? ' …' : ''}`;
};

function parse(text: ByteString, budget: Budget): Parsed {
  const parsed: Parsed = {
    entries: [],
    warnings: [],
    default: 0,
    fallback: [],
    timeout: null,
    hidden: false,
    password: undefined,
    colours: undefined,
    configFile: '',
  };
  const unknown = new Set<ByteString>();
  const misplaced = new Set<ByteString>();
  const empty = new Set<ByteString>();
  const bounded = (set: Set<ByteString>, name: ByteString) => {
    if (set.size <= NAMED) set.add(name);
  };
  let entry: NewEntry | undefined;
  const finish = () => {
    if (!entry) return;
    if (entry.lines.length > 0) parsed.entries.push(entry);
    else bounded(empty, entry.title);
  };
  try {
    for (const line of configLines(text, budget)) {
      const name = commandName(line);
      if (name === 'title') {
        finish();
        budget.most('menuEntries', parsed.entries.length + 1, 'menu entries');
        entry = { title: commandArguments(line), lines: [] };
      } else if (!isKnown(name)) bounded(unknown, name);
      else if (entry) entry.lines.push(line);
      else if (MENU_ONLY.has(name) || MENU_AND_ENTRY.has(name))
        topCommand(parsed, name, commandArguments(line));
      else {
        bounded(misplaced, name);
        if (name === 'configfile') parsed.configFile = commandArguments(line);
      }
    }
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    parsed.warnings.push(`the configuration was not read to its end: ${error.describe()}`);
  }
  finish();
  if (unknown.size > 0)
    parsed.warnings.push(`unknown commands are skipped, as GRUB does: ${listed(unknown)}`);
  if (misplaced.size > 0)
    parsed.warnings.push(
      `before the first title GRUB ignores commands that belong into an entry: ${listed(misplaced)}`,
    );
  if (empty.size > 0) parsed.warnings.push(`titles without commands are not in the menu: ${listed(empty)}`);
  return parsed;
}

/** Where the default and the fallbacks lead, in a menu of `count` entries. */
function startingPoints(
  parsed: Parsed,
  saved: Saved | undefined,
  count: number,
): { first: number; fallback: number[] } {
  const fallback = [...parsed.fallback];
  const wanted = parsed.default === 'saved' ? (saved?.entry ?? 0) : parsed.default;
  if (wanted < count || count === 0) return { first: wanted, fallback };
  // GRUB takes the first fallback then, or else the first entry.
  const first = fallback.shift() ?? 0;
  parsed.warnings.push(`the default is entry ${wanted}, which does not exist; entry ${first} is taken`);
  return { first, fallback };
}

/** @throws GuestError when the file cannot be read */
export function readMenu(config: ConfigFile, reading: Reading): BootMenu {
  const { ctx, budget } = reading;
  const spending = { ...ctx, budget };
  const text = fromBytes(readWhole(config.fs, config.node, 'configBytes', spending));
  const parsed = parse(text, budget);
  const { entries, warnings } = parsed;
  if (entries.length === 0 && parsed.configFile !== '') {
    const inner = innerMenu(parsed.configFile, config.volume, reading);
    if (inner) {
      const follows = `GRUB would show its prompt; ${printable(firstWord(parsed.configFile))}, which it names, is taken`;
      return { ...inner, warnings: [...warnings, follows, ...inner.warnings] };
    }
  }
  let saved: Saved | undefined;
  if (parsed.default === 'saved') {
    const folder = config.path.slice(0, config.path.lastIndexOf('/') + 1);
    saved = savedEntry(ctx.guest, config.volume, folder, spending);
    if (saved.afterwards !== undefined)
      warnings.push(
        `entry ${saved.entry} is the default for one boot only, then ${saved.afterwards}; disks are not written here, it will be the default again`,
      );
  }
  parsed.fallback = parsed.fallback.filter((position) => position < entries.length);
  const { first, fallback } = startingPoints(parsed, saved, entries.length);
  const shared: Shared = { reading, fallback: parsed.fallback, saved, locked: parsed.password !== undefined };
  const file = parsed.password?.file ?? '';
  return {
    entries: entries.map((entry, position) => new Entry(entry, position, shared)),
    default: [first],
    fallback,
    timeout: parsed.timeout,
    // GRUB counts down aloud; without a timeout the menu is shown.
    timeoutStyle: parsed.hidden && parsed.timeout !== null ? 'countdown' : 'menu',
    console: '',
    warnings,
    ...(parsed.password ? { passwords: new Map([['', parsed.password.password]]), superusers: [''] } : {}),
    ...(parsed.colours ? { colours: parsed.colours } : {}),
    ...(file === '' ? {} : { unlocked: () => unlockedMenu(file, config.volume, reading) }),
  };
}

interface Shared {
  readonly reading: Reading;
  readonly fallback: readonly number[];
  readonly saved: Saved | undefined;
  readonly locked: boolean;
}

/** A configuration that another names, or undefined when it cannot be read. */
function innerMenu(name: ByteString, base: Volume, reading: Reading): BootMenu | undefined {
  const { ctx, home } = reading;
  if (reading.level >= ctx.budget.limits.includeDepth) return undefined;
  reading.budget.step(MENU_COST);
  const word = firstWord(name);
  let volume = base;
  let path = word;
  if (word.startsWith('(')) {
    const device = parseDevice(word, ctx.guest, base);
    if (!device) return undefined;
    volume = device.volume ?? home;
    path = device.rest;
  }
  const { found } = payload(ctx.guest.file(path, volume));
  if (!found) return undefined;
  try {
    return readMenu({ volume, path, ...found }, { ...reading, level: reading.level + 1 });
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    return undefined;
  }
}

/** What the password opens in place of the menu. */
function unlockedMenu(name: ByteString, base: Volume, reading: Reading): BootMenu {
  const budget = reading.ctx.budget.child('evaluation', 'the configuration behind the password');
  return (
    innerMenu(name, base, { ...reading, budget }) ??
    plainMenu([], { warnings: [`${printable(firstWord(name))}: cannot be read`] })
  );
}

class Entry implements MenuEntry {
  readonly title: ByteString;
  readonly id: ByteString;
  readonly #lines: readonly ByteString[];
  readonly #position: number;
  readonly #shared: Shared;

  constructor(entry: NewEntry, position: number, shared: Shared) {
    this.title = entry.title;
    this.id = entry.title;
    this.#lines = entry.lines;
    this.#position = position;
    this.#shared = shared;
  }

  get text(): ByteString {
    return this.#lines.map((line) => `${line}\n`).join('');
  }

  get users(): readonly ByteString[] | undefined {
    return this.#shared.locked && guards(this.#lines).locked ? [''] : undefined;
  }

  get password(): Password | undefined {
    return guards(this.#lines).password;
  }

  resolve(edited?: ByteString): BootTarget {
    const { reading, fallback, saved, locked } = this.#shared;
    const { ctx, home } = reading;
    // An entry of a menu that an entry opened spends what that one has.
    const parent = reading.level > 0 ? reading.budget : ctx.budget;
    const budget = parent.child('entry', `entry '${printable(this.title, 60)}'`);
    const run = new EntryRun(
      {
        ctx,
        home,
        position: this.#position,
        fallback,
        saved,
        locked,
        follow: (volume, path, spent, notes) => follow(volume, path, { ...reading, budget: spent }, notes),
      },
      budget,
    );
    return run.run(edited === undefined ? this.#lines : configLines(edited, budget));
  }
}

/** What the menu of another configuration boots when nobody is there. */
function follow(volume: Volume, path: ByteString, reading: Reading, notes: string[]): BootTarget {
  const empty = { kernel: undefined, initrds: [], args: '', root: volume.name, notes };
  const { includeDepth } = reading.ctx.budget.limits;
  if (reading.level >= includeDepth)
    return {
      ...empty,
      problem: `menus inside each other deeper than ${includeDepth} (${variable('includeDepth')})`,
    };
  const menu = innerMenu(path, volume, reading);
  if (!menu) return { ...empty, problem: `${printable(path)}: cannot be read as a menu` };
  const choice = defaultChoice(menu, (message) => void notes.push(message));
  if (!choice) return { ...empty, problem: `${printable(path)}: has no menu entries`, menu };
  notes.push(...menu.warnings);
  let best: BootTarget | undefined;
  for (const candidate of [choice, ...menu.fallback.map((name) => namedChoice(menu, name))]) {
    if (!candidate) continue;
    const target = candidate.entry.resolve();
    const said = `opens the menu ${printable(path)}, of which '${printable(candidate.titles.join(' > '))}' is taken`;
    const told = { ...target, notes: [...notes, said, ...target.notes], menu };
    if (target.problem === null) return told;
    best ??= told;
  }
  return best!;
}
