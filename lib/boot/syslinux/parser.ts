/**
 * The configuration language, line by line, as the two programs of syslinux 6 that read it do: the core (`ldlinux.c32`:
 * labels, DEFAULT, the prompt) and the simple menu (`menu.c32`, `vesamenu.c32`), which reads the same file again and
 * differs in a few points. An included file reads as if it stood in the place of its INCLUDE.
 */
import type { Budget } from '../../bytes/budget';
import { GuestError } from '../../bytes/errors';
import { type ByteString, printable } from '../../bytes/text';
import type { GuestFile, Password } from '../model';

/** Bytes of a line with its end; a longer one counts as several lines (MAX_LINE, read by C's fgets). */
const LINE_BYTES = 4096;

export type Reader = 'core' | 'menu';

/** Kernel keywords; `kernel` looks at the file's name, the others say what it is. */
const KERNEL_TYPES = [
  ...['none', 'localboot', 'kernel', 'linux', 'boot', 'bss'],
  ...['pxe', 'fdimage', 'comboot', 'com32', 'config'],
];

export type Action = 'command' | 'submenu' | 'goto' | 'exit' | 'quit' | 'help' | 'disabled';

/** A line of the menu. */
export interface Item {
  /** The whole rest of the LABEL line; `undefined` on a submenu. */
  readonly label: ByteString | undefined;
  /** As shown, with its `^`. Changes while a submenu is being read. */
  display: ByteString;
  action: Action;
  /** What is executed: `vmlinuz root=/dev/sda1 initrd=x`, `.com32 chain.c32 hd0`. */
  readonly command: ByteString;
  /** The part of `command` that INITRD and SYSAPPEND added: ` initrd=x`. */
  readonly added: ByteString;
  readonly initrd: ByteString | undefined;
  readonly sysappend: number;
  password: Password | 'master' | undefined;
  readonly hidden: boolean;
  hotkey: ByteString | undefined;
  /** Name of the menu that MENU GOTO or MENU EXIT leads to; `''` is the menu above. */
  readonly leadsTo: ByteString;
  /** Of a submenu. */
  readonly submenu: Menu | undefined;
  /** A separator, which is no entry. */
  readonly separator: boolean;
}

export interface Menu {
  readonly tag: ByteString | undefined;
  readonly parent: Menu | undefined;
  readonly parentItem: Item | undefined;
  title: ByteString;
  readonly items: Item[];
  defaultItem: Item | undefined;
  /** Tenths of a second; 0 waits. */
  timeout: number;
  onTimeout: ByteString | undefined;
  onError: ByteString | undefined;
  master: Password | undefined;
  readonly hotkeys: Set<string>;
}

/** Everything that the files say. */
export interface Parsed {
  readonly root: Menu;
  start: Menu;
  /** Items that have a label, in file order, those of all menus together. */
  readonly labels: Item[];
  readonly menus: Map<ByteString, Menu>;
  /** The last DEFAULT. */
  globalDefault: ByteString | undefined;
  /** What the core executes by itself: DEFAULT's, or UI's. */
  defaultCommand: ByteString | undefined;
  hasUi: boolean;
  prompt: boolean;
  timeout: number;
  totalTimeout: number;
  onTimeout: ByteString | undefined;
  onError: ByteString | undefined;
  sysappend: number;
  implicit: boolean;
  allowOptions: boolean;
  hiddenMenu: boolean;
  shiftKey: boolean;
  menuSave: boolean;
  /** Directories of PATH, the last one first. */
  readonly path: ByteString[];
  /** Lines of SAY. */
  console: ByteString;
  readonly warnings: string[];
  /** Why files to include were not, printable. */
  readonly missing: Set<string>;
}

/** What the parser needs of the world. */
export interface Source {
  /** Found or not, as the configuration names it. */
  file(name: ByteString): GuestFile;
  /** @throws GuestError */
  text(file: GuestFile): ByteString;
  /** @throws GuestError */
  spend(steps: number): void;
  readonly budget: Budget;
  /** FSUUID= and the like: the words for a mask, each after a blank. */
  sysappend(mask: number): ByteString;
}

/** Blanks that separate words are all bytes up to 0x20, and DEL. */
export const isBlank = (c: number): boolean => !(c > 0x20) || c === 0x7f;

const isSpace = (c: number): boolean => c === 0x20 || (c >= 9 && c <= 13);

/** Without the white space at the beginning (C's isspace). */
export function skipSpace(text: ByteString): ByteString {
  let at = 0;
  while (at < text.length && isSpace(text.charCodeAt(at))) at++;
  return at === 0 ? text : text.slice(at);
}

/** Length of the first word. */
export function wordLength(text: ByteString): number {
  let at = 0;
  while (at < text.length && !isBlank(text.charCodeAt(at))) at++;
  return at;
}

export const firstWord = (text: ByteString): ByteString => text.slice(0, wordLength(text));

/** C's atoi and strtoul(…, 0): leading digits, `0x` and `0` prefixes when `anyBase`. */
function number(text: ByteString, anyBase = false): number {
  const found = (anyBase ? /^([+-]?)(0x[0-9a-f]+|\d+)/i : /^([+-]?)(\d+)/).exec(skipSpace(text.slice(0, 64)));
  if (!found) return 0;
  const digits = found[2]!;
  const size =
    anyBase && /^0[0-9]/.test(digits)
      ? Number.parseInt(digits.slice(1).split(/[89]/)[0]!, 8)
      : Number(digits);
  if (!Number.isFinite(size)) return 0;
  return Math.min(size, 0xffffffff) * (found[1] === '-' ? -1 : 1);
}

/** `$1$…` and friends, or plain text. */
function password(value: ByteString): Password {
  if (value[0] !== '$' || value[2] !== '$') return { scheme: 'plain', value };
  return { scheme: value[1] === '4' ? 'sha1' : 'crypt', value };
}

/** What stands between a LABEL and the next one. */
interface Draft {
  label: ByteString | undefined;
  kernel: ByteString;
  type: string;
  append: ByteString | undefined;
  initrd: ByteString | undefined;
  menuLabel: ByteString | undefined;
  password: ByteString | undefined;
  sysappend: number;
  hide: boolean;
  isDefault: boolean;
  separator: boolean;
  disabled: boolean;
  action: Action;
  leadsTo: ByteString;
}

const emptyDraft = (): Draft => ({
  label: undefined,
  kernel: '',
  type: 'kernel',
  append: undefined,
  initrd: undefined,
  menuLabel: undefined,
  password: undefined,
  sysappend: 0,
  hide: false,
  isDefault: false,
  separator: false,
  disabled: false,
  action: 'command',
  leadsTo: '',
});

function newMenu(tag: ByteString | undefined, parent?: Menu, parentItem?: Item): Menu {
  return {
    tag,
    parent,
    parentItem,
    title: '',
    items: [],
    defaultItem: undefined,
    timeout: parent?.timeout ?? 0,
    onTimeout: parent?.onTimeout,
    onError: parent?.onError,
    master: parent?.master,
    hotkeys: new Set(),
  };
}

/** Splits as C's fgets with a buffer of LINE_BYTES does, and cuts at the first NUL, CR or LF. */
class Lines {
  #at = 0;
  constructor(private readonly text: ByteString) {}

  next(): ByteString | undefined {
    const { text } = this;
    if (this.#at >= text.length) return undefined;
    const from = this.#at;
    const newline = text.indexOf('\n', from);
    const end = Math.min(newline < 0 ? text.length : newline + 1, from + LINE_BYTES - 1);
    this.#at = end;
    return text.slice(from, end).replace(/[\0\r\n][\s\S]*$/, '');
  }
}

/** The first word, which is a keyword without regard to case, and what stands behind it. */
function keyword(line: ByteString): { word: string; rest: ByteString } {
  const length = wordLength(line);
  return { word: line.slice(0, length).toLowerCase(), rest: skipSpace(line.slice(length)) };
}

class Parser {
  readonly out: Parsed;
  #draft = emptyDraft();
  #append: ByteString | undefined;
  /** Of all menus. */
  #entries = 0;
  #current: Menu;
  readonly #gotos: { item: Item; from: Menu }[] = [];

  constructor(
    private readonly source: Source,
    private readonly reader: Reader,
  ) {
    const root = newMenu('.top');
    this.#current = root;
    this.out = {
      root,
      start: root,
      labels: [],
      menus: new Map([['.top', root]]),
      globalDefault: undefined,
      defaultCommand: undefined,
      hasUi: false,
      prompt: false,
      timeout: 0,
      totalTimeout: 0,
      onTimeout: undefined,
      onError: undefined,
      sysappend: 0,
      implicit: true,
      allowOptions: true,
      hiddenMenu: false,
      shiftKey: false,
      menuSave: false,
      path: [],
      console: '',
      warnings: [],
      missing: new Set(),
    };
  }

  finish(): void {
    this.#record(this.#current);
    for (const { item } of this.#gotos)
      if (item.leadsTo !== '' && !this.out.menus.has(item.leadsTo)) item.action = 'disabled';
  }

  /** Takes up what was said since LABEL. */
  #record(menu: Menu): void {
    const draft = this.#draft;
    if (draft.label === undefined) return;
    this.#draft = emptyDraft();
    this.source.budget.most('menuEntries', ++this.#entries, 'menu entries');
    const added =
      (draft.initrd === undefined ? '' : ` initrd=${draft.initrd}`) +
      (draft.sysappend === 0 ? '' : this.source.sysappend(draft.sysappend));
    let append = draft.append ?? this.#append ?? '';
    if (append === '-') append = '';
    const type = draft.type === 'kernel' ? '' : `.${draft.type} `;
    const disabled = draft.separator || draft.disabled;
    const action = disabled ? 'disabled' : draft.action;
    const item: Item = {
      label: draft.label,
      display: draft.menuLabel || draft.label,
      action,
      command:
        action === 'command' ? `${type}${draft.kernel}${append === '' ? '' : ' '}${append}${added}` : '',
      added,
      initrd: draft.initrd,
      sysappend: draft.sysappend,
      password:
        disabled || draft.password === undefined
          ? undefined
          : draft.password === ''
            ? 'master'
            : password(draft.password),
      hidden: draft.hide,
      hotkey: undefined,
      leadsTo: draft.leadsTo,
      submenu: undefined,
      separator: draft.separator,
    };
    menu.items.push(item);
    if (!disabled) this.out.labels.push(item);
    if (action === 'goto' || action === 'exit') this.#gotos.push({ item, from: menu });
    if (!draft.hide) {
      if (draft.menuLabel) this.#hotkey(menu, item);
      if (draft.isDefault && (action === 'command' || (this.reader === 'menu' && action === 'goto')))
        menu.defaultItem = item;
    }
    // Long lines from a few bytes of file: the global APPEND is in every label. Last, so that a label that is cut off stays.
    this.source.spend((append.length + added.length) >> 6);
  }

  /** The letter behind the first `^`, unless another entry of the menu has it. */
  #hotkey(menu: Menu, item: Item): void {
    const key = item.display[item.display.indexOf('^') + 1];
    if (item.action === 'disabled' || !item.display.includes('^') || key === undefined) return;
    // The program folds case by clearing bit 5 of any byte.
    const folded = String.fromCharCode(key.charCodeAt(0) & ~0x20);
    if (menu.hotkeys.has(folded)) return;
    menu.hotkeys.add(folded);
    item.hotkey = key.toLowerCase();
  }

  #begin(tag: ByteString): Menu {
    const parent = this.#current;
    let depth = 0;
    for (let menu: Menu | undefined = parent; menu; menu = menu.parent) depth++;
    this.source.budget.most('includeDepth', depth, 'menus inside each other');
    const draft = {
      label: undefined,
      display: tag,
      action: 'submenu' as const,
      command: '',
      added: '',
      initrd: undefined,
      sysappend: 0,
      password: undefined,
      hidden: false,
      hotkey: undefined,
      leadsTo: '',
      separator: false,
    };
    const item: Item & { submenu: Menu | undefined } = { ...draft, submenu: undefined };
    const menu = newMenu(tag === '' ? undefined : tag, parent, item);
    item.submenu = menu;
    parent.items.push(item);
    // Of two menus with one name the later is found.
    if (menu.tag !== undefined) this.out.menus.set(menu.tag, menu);
    this.#current = menu;
    return menu;
  }

  #end(): Menu {
    this.#current = this.#current.parent ?? this.#current;
    return this.#current;
  }

  /** @returns false when the file is not there */
  #include(name: ByteString, depth: number): boolean {
    this.source.budget.most('includeDepth', depth + 1, 'files that include each other');
    const file = this.source.file(name);
    if (!file.found) {
      this.out.missing.add(file.problem ?? printable(name));
      return false;
    }
    this.read(this.source.text(file), depth + 1);
    return true;
  }

  /** @returns the menu that the lines after it belong to */
  #includeMenu(rest: ByteString, menu: Menu, depth: number): Menu {
    const name = firstWord(skipSpace(rest));
    const tag = skipSpace(skipSpace(rest).slice(name.length));
    if (tag === '') {
      this.#include(name, depth);
      return menu;
    }
    if (this.reader === 'core' && !this.source.file(name).found) {
      this.#include(name, depth);
      return menu;
    }
    this.#record(menu);
    this.#begin(tag);
    try {
      this.#include(name, depth);
    } finally {
      this.#record(this.#current);
      this.#end();
    }
    return this.reader === 'menu' ? this.#current : menu;
  }

  read(text: ByteString, depth: number): void {
    const lines = new Lines(text);
    let menu = this.#current;
    for (let raw = lines.next(); raw !== undefined; raw = lines.next()) {
      this.source.spend(1 + (raw.length >> 4));
      const line = skipSpace(raw);
      const { word, rest } = keyword(line);
      if (word === 'menu') menu = this.#menuLine(rest, menu, depth);
      else if (word === 'text') {
        for (let help = lines.next(); help !== undefined; help = lines.next()) {
          this.source.spend(1);
          if (keyword(skipSpace(help)).word === 'endtext') break;
        }
      } else menu = this.#plainLine(line, menu, depth);
    }
  }

  #menuLine(line: ByteString, menu: Menu, depth: number): Menu {
    const { out } = this;
    const draft = this.#draft;
    const inLabel = draft.label !== undefined;
    const item = menu.parentItem;
    const { word, rest } = keyword(line);
    switch (word) {
      case 'label':
        if (inLabel) draft.menuLabel = rest;
        else if (item && menu.parent) {
          item.display = rest;
          this.#hotkey(menu.parent, item);
          if (menu.title === '') menu.title = rest.replaceAll('^', '');
        }
        return menu;
      case 'title':
        menu.title = rest;
        if (item && item.display === (menu.tag ?? '')) item.display = rest;
        return menu;
      case 'default':
        if (inLabel) draft.isDefault = true;
        else if (item && menu.parent) menu.parent.defaultItem = item;
        return menu;
      case 'hide':
        draft.hide = true;
        return menu;
      case 'passwd':
        if (inLabel) draft.password = rest;
        else if (item) item.password = rest === '' ? 'master' : password(rest);
        return menu;
      case 'shiftkey':
        out.shiftKey = true;
        return menu;
      case 'save':
        out.menuSave = true;
        return menu;
      case 'onerror':
        menu.onError = rest;
        out.onError = rest;
        return menu;
      case 'master': {
        const inner = keyword(rest);
        if (inner.word === 'passwd') menu.master = password(inner.rest);
        return menu;
      }
      case 'include':
        return this.#includeMenu(rest, menu, depth);
      case 'hidden':
        out.hiddenMenu = true;
        return menu;
      case 'separator':
        this.#record(menu);
        this.#draft.label = '';
        this.#draft.separator = true;
        this.#record(menu);
        return menu;
      case 'disable':
      case 'disabled':
        draft.disabled = true;
        return menu;
      case 'begin':
        this.#record(menu);
        return this.#begin(rest);
      case 'end':
        this.#record(menu);
        return this.#end();
      case 'quit':
        if (inLabel) draft.action = 'quit';
        return menu;
      case 'goto':
        if (inLabel) {
          draft.action = 'goto';
          draft.leadsTo = rest;
        }
        return menu;
      case 'exit':
        if (inLabel && menu.parent) {
          draft.action = 'exit';
          draft.leadsTo = rest;
        }
        return menu;
      case 'help':
        if (inLabel && this.reader === 'menu') draft.action = 'help';
        return menu;
      case 'start':
        out.start = menu;
        return menu;
      default:
        // Colours, backgrounds, messages, rows and columns.
        return menu;
    }
  }

  /** @returns the menu that the lines after it belong to */
  #plainLine(line: ByteString, menu: Menu, depth: number): Menu {
    const { out } = this;
    const draft = this.#draft;
    const { word, rest } = keyword(line);
    const inLabel = draft.label !== undefined;
    switch (word) {
      case 'include':
        if (this.reader === 'menu') return this.#includeMenu(rest, menu, depth);
        this.#include(firstWord(rest), depth);
        return menu;
      case 'append':
        if (inLabel) draft.append = rest;
        else this.#append = rest;
        return menu;
      case 'initrd':
        if (inLabel) draft.initrd = rest;
        return menu;
      case 'label':
        this.#record(menu);
        this.#draft = {
          ...emptyDraft(),
          label: rest,
          kernel: this.reader === 'core' ? firstWord(rest) : rest,
          sysappend: out.sysappend,
        };
        return menu;
      case 'timeout':
        if (this.reader === 'menu') menu.timeout = number(rest);
        out.timeout = number(rest);
        return menu;
      case 'totaltimeout':
        out.totalTimeout = number(rest);
        return menu;
      case 'ontimeout':
        if (this.reader === 'menu') menu.onTimeout = rest;
        out.onTimeout = rest;
        return menu;
      case 'onerror':
        menu.onError = rest;
        out.onError = rest;
        return menu;
      case 'allowoptions':
        out.allowOptions = number(rest) !== 0;
        return menu;
      case 'ipappend':
      case 'sysappend':
        if (inLabel) draft.sysappend = number(rest, true);
        else out.sysappend = number(rest, true);
        return menu;
      case 'default':
        out.globalDefault = rest;
        if (!out.hasUi) out.defaultCommand = rest;
        return menu;
      case 'ui':
        out.hasUi = true;
        out.defaultCommand = rest;
        return menu;
      case 'implicit':
        out.implicit = number(rest) !== 0;
        return menu;
      case 'prompt':
        out.prompt = number(rest) !== 0;
        return menu;
      case 'path':
        // Each is put in front of those before.
        for (const directory of rest.split(':')) if (directory !== '') out.path.unshift(directory);
        return menu;
      case 'say':
        if (this.reader === 'core') out.console += `${line.slice(4)}\n`;
        return menu;
      default:
        if (!inLabel || !KERNEL_TYPES.includes(word)) return menu;
        draft.kernel = rest;
        draft.type = word;
        return menu;
    }
  }
}

/**
 * Reads the files one after the other, as one text. What a limit or an unreadable file cuts off is told in `warnings`;
 * what stood before it is kept.
 */
export function parse(texts: Iterable<() => ByteString>, reader: Reader, source: Source): Parsed {
  const parser = new Parser(source, reader);
  const guarded = (body: () => void) => {
    try {
      body();
    } catch (error) {
      if (!(error instanceof GuestError)) throw error;
      parser.out.warnings.push(`the configuration was not read to its end: ${error.describe()}`);
    }
  };
  guarded(() => {
    for (const text of texts) parser.read(text(), 0);
  });
  guarded(() => parser.finish());
  return parser.out;
}

/** The entry that a command line names: the one whose label is its first word. */
export function findLabel(parsed: Parsed, command: ByteString, reader: Reader): Item | undefined {
  const word = firstWord(command);
  const label = (item: Item) => (reader === 'core' ? firstWord(item.label ?? '') : item.label);
  // Labels of several words, which the program does not find; U-Boot, GRUB and pygrub do, and grubby writes them.
  const whole = command.replace(/[ \t]+$/, '');
  const named = word === whole ? undefined : parsed.labels.find((item) => item.label === whole);
  return named ?? parsed.labels.find((item) => label(item) === word);
}
