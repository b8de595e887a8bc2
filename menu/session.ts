/**
 * The menu as a whole: what a person does at the console, until something is to be booted. A chunk, loaded only when a menu
 * is shown. States and pictures are pure (list.ts, editor.ts, line.ts, view.ts); this is what happens between them.
 */
import { ftruncateSync } from 'node:fs';
import { namedChoice } from '../lib/boot/choose';
import type { Access, BootMenu, BootTarget, MenuEntry, Password } from '../lib/boot/model';
import type { Bootloader, Decision, Offer } from '../lib/bootloader';
import { GuestError } from '../lib/bytes/errors';
import { printable } from '../lib/bytes/text';
import type { Outputs } from '../lib/sandbox/outputs';
import type { Keys } from '../lib/unlock';
import { argumentsLine } from './arguments';
import { CommandLine } from './commandline';
import { type EditorState, editorKey, editorOf, editorText } from './editor';
import type { Key } from './keys';
import { lineKey, lineOf } from './line';
import { hotkeyEntry, type Level, levelOf, listKey, scrolled } from './list';
import { Locks } from './locks';
import { plainMenu } from './plain';
import { type Frame, Screen } from './screen';
import { consoleKind, type Kind, Terminal } from './terminal';
import { editable } from './text';
import {
  argumentsFrame,
  countdownLine,
  editorFrame,
  type ListPicture,
  listFrame,
  looksOf,
  pageOf,
  type Style,
} from './view';

const NO_KEYS: Keys = { secrets: [], header: undefined };

/** Menus inside each other that a person may open. */
const MOST_LEVELS = 100;

export interface MenuOptions {
  readonly version: string;
  /** Seconds to wait where the configuration names no time, undefined: for ever. */
  readonly wait: number | undefined;
  /** Whose console it is; undefined: this process's. */
  readonly console?: Kind | undefined;
  /** The admin's, for entries that need encrypted volumes. Overwritten when something was chosen. */
  readonly keys?: Keys | undefined;
}

/** What the menu ends with, where it does; no decision where the time ran out and nothing boots by itself. */
type Chosen = { readonly decision: Decision | undefined } | undefined;

/** The console is gone, or the person gave up. */
class Left extends Error {}

export class Session {
  readonly terminal: Terminal;
  readonly locks: Locks;
  readonly #loader: Bootloader;
  readonly #offer: Offer;
  readonly #unattended: Decision | undefined;
  readonly #options: MenuOptions;
  readonly #screen = new Screen();
  #style: Style;
  #levels: Level[];
  #message = '';
  /** Someone has pressed a key: the clock stands. */
  #typed = false;
  #began = false;
  #deadline: number | undefined;
  /** The clock that no key stops (syslinux' TOTALTIMEOUT). */
  #hard: number | undefined;
  #commandLine: CommandLine | undefined;
  #keys: Keys;

  constructor(loader: Bootloader, offer: Offer, unattended: Decision | undefined, options: MenuOptions) {
    this.#loader = loader;
    this.#offer = offer;
    this.#unattended = unattended;
    this.#options = options;
    this.#keys = options.keys ?? NO_KEYS;
    this.terminal = new Terminal(options.console ?? consoleKind(process.env));
    this.locks = new Locks(this.terminal, (words) => this.#below(words));
    const { menu } = offer;
    this.#style = {
      looks: looksOf(menu.colours),
      utf8: this.terminal.kind.utf8,
      program: `nodegrub ${options.version}`,
    };
    const path = menu.selected ?? this.#defaultPath(menu);
    this.#levels = [levelOf(menu, [], path[0] ?? 0)];
  }

  /** Where the guest's default stands. */
  #defaultPath(menu: BootMenu): readonly number[] {
    const wanted = menu.default;
    if (wanted === undefined || wanted === '') return [0];
    if (typeof wanted !== 'string') return wanted;
    return namedChoice(menu, wanted)?.path ?? [0];
  }

  /**
   * The next thing to boot.
   * @returns undefined when the time ran out and nothing boots by itself
   * @throws GuestError when the person or the console left
   */
  async choose(): Promise<Decision | undefined> {
    this.terminal.open();
    try {
      if (!this.#began) {
        this.#began = true;
        const early = await this.#begin();
        if (early) return early.decision;
      }
      return this.terminal.kind.full ? await this.#list() : await this.#plain();
    } catch (error) {
      if (!(error instanceof Left)) throw error;
      throw new GuestError('io', error.message);
    } finally {
      this.#leaveScreen();
      this.terminal.close();
      for (const secret of this.#keys.secrets) secret.fill(0);
      this.#keys = NO_KEYS;
    }
  }

  /**
   * What was chosen could not be copied.
   * @returns true when a person is there, who may choose again
   */
  retry(error: unknown, outputs: Pick<Outputs, 'kernel' | 'ramdisk'>): boolean {
    if (!this.#typed || !(error instanceof GuestError)) return false;
    this.#message = `cannot boot: ${error.describe()}`;
    // What is written over it may have holes.
    for (const { fd } of [outputs.kernel, outputs.ramdisk]) ftruncateSync(fd, 0);
    return true;
  }

  /** Starts the clocks; what is hidden waits for its key. */
  async #begin(): Promise<Chosen> {
    const { menu } = this.#offer;
    const now = performance.now();
    const seconds = menu.timeout !== null && menu.timeout >= 0 ? menu.timeout : this.#options.wait;
    if (seconds === 0) return { decision: this.#unattended };
    this.#deadline = seconds === undefined ? undefined : now + seconds * 1000;
    this.#hard = menu.totalTimeout === undefined ? undefined : now + menu.totalTimeout * 1000;
    const timed = menu.timeout !== null && menu.timeout > 0;
    if (!timed || menu.timeoutStyle === 'menu' || !this.terminal.kind.full) return undefined;
    return this.#hidden(menu, menu.timeoutStyle === 'countdown');
  }

  async #hidden(menu: BootMenu, aloud: boolean): Promise<Chosen> {
    let length = 0;
    const say = (words: string) => {
      this.terminal.write(`\r${words.padEnd(length)}`);
      length = words.length;
    };
    for (;;) {
      const left = Math.max(Math.ceil((this.#deadline! - performance.now()) / 1000), 0);
      if (aloud) say(countdownLine(left));
      const input = await this.terminal.next(aloud ? this.#tick() : this.#deadline);
      if (input.kind === 'gone') throw new Left('the console was lost before the time ran out');
      if (input.kind === 'time' && this.#over()) {
        if (aloud) this.terminal.write('\r\n');
        return { decision: this.#unattended };
      }
      if (input.kind !== 'key') continue;
      const { key } = input;
      const hot = hotkeyEntry(menu, key);
      if (key !== 'esc' && key !== 'f4' && key !== '^c' && !hot) continue;
      if (aloud) this.terminal.write('\r\n');
      this.#stopClock();
      if (key === '^c') throw new Left('Ctrl-C was pressed');
      return hot && (await this.#run(hot));
    }
  }

  /** The next full second of the countdown, or its end. */
  #tick(): number | undefined {
    const end = this.#end();
    if (end === undefined) return undefined;
    const left = end - performance.now();
    return end - (Math.ceil(left / 1000) - 1) * 1000;
  }

  /** When the default boots, if nothing changes. */
  #end(): number | undefined {
    if (this.#deadline === undefined) return this.#hard;
    return Math.min(this.#deadline, this.#hard ?? Number.POSITIVE_INFINITY);
  }

  #over(): boolean {
    const end = this.#end();
    return end !== undefined && performance.now() >= end;
  }

  #stopClock(): void {
    if (this.#typed) return;
    this.#typed = true;
    this.#deadline = undefined;
    // From now on a person asks, not the host.
    this.#loader.context.access = this.locks satisfies Access;
  }

  get #level(): Level {
    return this.#levels[this.#levels.length - 1]!;
  }

  set #level(level: Level) {
    this.#levels[this.#levels.length - 1] = level;
  }

  get #editing(): ListPicture['editing'] {
    if (this.#levels.some(({ menu }) => menu.editable === false)) return 'never';
    return this.#levels.every(({ menu }) => this.locks.open(menu.superusers)) ? 'free' : 'locked';
  }

  #draw(frame: Frame): void {
    this.terminal.write(this.#screen.draw(frame));
  }

  /** What was said so far scrolls up instead of being overwritten. */
  #firstPicture = true;

  #show(frame: Frame): void {
    if (this.#firstPicture) this.terminal.write('\r\n'.repeat(frame.size.rows));
    this.#firstPicture = false;
    this.#draw(frame);
  }

  #leaveScreen(): void {
    if (this.terminal.kind.full && !this.#firstPicture) this.terminal.write(this.#screen.leave());
    this.#firstPicture = true;
  }

  /** A line below the picture, which is then drawn anew. */
  #below(words: string): void {
    this.#leaveScreen();
    if (words !== '') this.terminal.write(`${words}\r\n`);
  }

  async #list(): Promise<Decision | undefined> {
    for (;;) {
      const { size } = this.terminal;
      const page = pageOf(size);
      this.#level = scrolled(this.#level, page);
      const end = this.#end();
      const seconds =
        end === undefined ? undefined : Math.max(Math.ceil((end - performance.now()) / 1000), 0);
      this.#show(
        listFrame(
          {
            level: this.#level,
            place: this.#offer.place,
            message: this.#message,
            seconds,
            editing: this.#editing,
          },
          size,
          this.#style,
        ),
      );
      const input = await this.terminal.next(this.#tick());
      if (input.kind === 'gone') throw new Left('the console was lost while the menu was shown');
      if (input.kind === 'time' && this.#over()) return this.#unattended;
      if (input.kind !== 'key') continue;
      this.#stopClock();
      this.#message = '';
      const { level, action } = listKey(this.#level, input.key, page);
      this.#level = level;
      if (!action) continue;
      const chosen = await this.#act(action);
      if (chosen) return chosen.decision;
    }
  }

  async #act(action: NonNullable<ReturnType<typeof listKey>['action']>): Promise<Chosen> {
    switch (action.kind) {
      case 'choose':
        return this.#run(action.entry);
      case 'edit':
      case 'arguments':
        if (!(await this.#maySee())) return undefined;
        return action.kind === 'edit' ? this.#edit(action.entry) : this.#editArguments(action.entry);
      case 'command-line':
        return (await this.#maySee()) ? this.#shell() : undefined;
      case 'password':
        await this.#unlock();
        return undefined;
      case 'back':
        if (this.#levels.length > 1) this.#levels.pop();
        return undefined;
      case 'quit':
        throw new Left('Ctrl-C was pressed');
      case 'redraw':
        this.#screen.forget();
        return undefined;
      default:
        this.terminal.write('\x07');
        return undefined;
    }
  }

  /** Asks for what is needed to edit and to use the command line. */
  async #maySee(): Promise<boolean> {
    for (const { menu } of this.#levels) {
      if (menu.editable === false) {
        this.#message = menu.locked ?? 'This configuration does not allow entries to be edited.';
        return false;
      }
      if (!(await this.#ask(menu, menu.superusers))) return false;
    }
    return true;
  }

  async #ask(menu: BootMenu, users: readonly string[] | undefined): Promise<boolean> {
    if (this.locks.open(users)) return true;
    const answer = await this.locks.ask(users!, menu.passwords ?? new Map());
    if (answer === 'gone') throw new Left('the console was lost while a password was asked for');
    if (answer === 'wrong') this.#message = 'access denied';
    return answer === 'right';
  }

  /** `p`: opens what is locked. */
  async #unlock(): Promise<void> {
    const { menu, titles } = this.#level;
    if (!menu.superusers && !menu.unlocked) {
      this.#message = 'No password is set.';
      return;
    }
    if (!(await this.#ask(menu, menu.superusers))) return;
    this.#message = 'Entries may be edited now.';
    if (menu.unlocked) this.#open(menu.unlocked(), titles);
  }

  #open(menu: BootMenu, titles: readonly string[]): void {
    if (this.#levels.length >= MOST_LEVELS) {
      this.#message = `more than ${MOST_LEVELS} menus inside each other`;
      return;
    }
    if (menu.warnings.length > 0) this.#message = menu.warnings[0]!;
    this.#levels.push(levelOf(menu, titles, this.#defaultPath(menu)[0] ?? 0));
  }

  /** Enters a submenu, or boots the entry, with `text` in place of its own. */
  async #run(entry: MenuEntry, text?: string): Promise<Chosen> {
    const { menu } = this.#level;
    const titles = [...this.#level.titles, entry.title];
    if (!(await this.#ask(menu, entry.users))) return undefined;
    if (entry.password && !(await this.#askFor(entry.password))) return undefined;
    if (entry.open && text === undefined) {
      this.#open(entry.open(), titles);
      return undefined;
    }
    return this.#boot(() => entry.resolve(text), titles, menu);
  }

  async #askFor(password: Password): Promise<boolean> {
    const answer = await this.locks.askPassword(password);
    if (answer === 'gone') throw new Left('the console was lost while a password was asked for');
    if (answer === 'wrong') this.#message = 'access denied';
    return answer === 'right';
  }

  /**
   * Evaluates, asks for the passwords that the evaluation asked for, opens encrypted volumes that it missed, and says why it does not
   * boot.
   */
  async #boot(resolve: () => BootTarget, titles: readonly string[], menu: BootMenu): Promise<Chosen> {
    const names = titles.map((title) => printable(title, 200)).join(' > ');
    for (;;) {
      const target = await this.#resolved(resolve, menu);
      if (!target) return undefined;
      if (target.menu) {
        this.#open(target.menu, titles);
        return undefined;
      }
      if (target.problem === null)
        return {
          decision: {
            target,
            title: titles[titles.length - 1],
            where: `${this.#offer.place}: menuentry '${names}'`,
          },
        };
      // Each time round one volume more is open.
      const closed = this.#loader.context.crypt?.wanted ? await this.#openVolumes() : '';
      if (closed === undefined) continue;
      this.#message = `cannot boot '${names}': ${[target.problem, closed].filter(Boolean).join('; ')}`;
      return undefined;
    }
  }

  /** @returns undefined where a password was asked for and is not known */
  async #resolved(resolve: () => BootTarget, menu: BootMenu): Promise<BootTarget | undefined> {
    const { crypt } = this.#loader.context;
    for (;;) {
      this.locks.refused = undefined;
      if (crypt) {
        for (const { secret } of crypt.wanted ?? []) secret?.fill(0);
        crypt.wanted = undefined;
      }
      const target = resolve();
      const refused = this.locks.refused as Locks['refused'];
      if (!refused) return target;
      const open =
        'password' in refused ? await this.#askFor(refused.password) : await this.#ask(menu, refused.users);
      if (!open) return undefined;
    }
  }

  /** @returns undefined when one was opened, otherwise why none was */
  async #openVolumes(): Promise<string | undefined> {
    const { unlockChosen } = require('../lib/cli/keys') as typeof import('../lib/cli/keys');
    const { Passphrases } = require('./passphrase') as typeof import('./passphrase');
    this.#leaveScreen();
    this.terminal.close();
    try {
      return await unlockChosen(
        this.#loader,
        this.#keys,
        () => new Passphrases(undefined, this.#options.console),
      );
    } finally {
      this.terminal.open();
    }
  }

  /** @returns undefined when there was none, only another size */
  async #editingKey(): Promise<Key | NonNullable<Chosen> | undefined> {
    const input = await this.terminal.next(this.#hard);
    if (input.kind === 'gone') throw new Left('the console was lost while an entry was edited');
    if (input.kind === 'time') return { decision: this.#unattended };
    if (input.kind !== 'key') return undefined;
    this.#message = '';
    if (input.key === '^l') this.#screen.forget();
    return input.key;
  }

  async #edit(entry: MenuEntry): Promise<Chosen> {
    if (entry.open) {
      this.#message = 'A submenu has no commands to edit; Enter opens it.';
      return undefined;
    }
    const { text, bytes } = editable(entry.text);
    let editor: EditorState = editorOf(text);
    for (;;) {
      const { size } = this.terminal;
      this.#show(editorFrame(editor, entry.title, this.#message, size, this.#style));
      const key = await this.#editingKey();
      if (key === undefined) continue;
      if (typeof key !== 'string') return key;
      const { state, action } = editorKey(editor, key, pageOf(size));
      editor = state;
      if (action === 'bell') this.terminal.write('\x07');
      else if (action === 'leave') return undefined;
      else if (action) {
        const chosen =
          action === 'boot' ? await this.#run(entry, bytes(editorText(editor))) : await this.#shell();
        if (chosen) return chosen;
      }
    }
  }

  /** `a`: the line of the entry that has the kernel's arguments. */
  async #editArguments(entry: MenuEntry): Promise<Chosen> {
    const found = entry.open ? undefined : argumentsLine(entry.text);
    if (!found) {
      this.#message = entry.open
        ? 'A submenu has no kernel; Enter opens it.'
        : 'This entry has no kernel line; e edits all of it.';
      return undefined;
    }
    const { text, bytes } = editable(found.line);
    let line = lineOf(text);
    for (;;) {
      const { size } = this.terminal;
      this.#show(argumentsFrame(line.text, line.cursor, entry.title, this.#message, size, this.#style));
      const key = await this.#editingKey();
      if (key === undefined) continue;
      if (typeof key !== 'string') return key;
      const booting = key === '^x' || key === 'f10';
      const { state, action } = booting ? { state: line, action: 'enter' as const } : lineKey(line, key);
      line = state;
      if (action === 'cancel' || action === 'interrupt') return undefined;
      if (action === 'bell' || action === 'complete') this.terminal.write('\x07');
      if (action !== 'enter') continue;
      const chosen = await this.#run(entry, found.before + bytes(line.text) + found.after);
      if (chosen) return chosen;
      // It opened a menu, or does not boot.
      if (this.#message === '') return undefined;
    }
  }

  async #shell(): Promise<Chosen> {
    this.#below('');
    const level = this.#level;
    this.#commandLine ??= new CommandLine(this.terminal, this.#loader.context, this.#style.utf8);
    const result = await this.#commandLine.use(this.#offer.config, level.menu, this.#hard);
    switch (result.kind) {
      case 'boot': {
        const { target } = result;
        return { decision: { target, title: '', where: `${this.#offer.place}: command line` } };
      }
      case 'menu':
        this.#open(result.menu, [...level.titles]);
        return undefined;
      case 'time':
        return { decision: this.#unattended };
      case 'gone':
        throw new Left('the console was lost at the command line');
      case 'end':
        throw new Left(`the command line was left with ${result.reason}`);
      default:
        return undefined;
    }
  }

  async #plain(): Promise<Decision | undefined> {
    for (;;) {
      const answer = await plainMenu(this.terminal, this.#level, {
        program: this.#style.program,
        place: this.#offer.place,
        message: this.#message,
        deadline: this.#deadline,
        hard: this.#hard,
        typed: () => this.#stopClock(),
      });
      this.#message = '';
      switch (answer.kind) {
        case 'time':
          return this.#unattended;
        case 'gone':
          // Without a terminal the end of input says that nobody will answer.
          if (!this.terminal.kind.tty && !this.#typed) return this.#unattended;
          throw new Left('the console was lost while the menu was shown');
        case 'quit':
          throw new Left('the menu was left');
        default: {
          this.#stopClock();
          const chosen = await this.#act(answer.action);
          if (chosen) return chosen.decision;
        }
      }
    }
  }
}
