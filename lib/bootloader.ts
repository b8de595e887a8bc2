/**
 * The way of the data on one page: disks → volumes → filesystems → configuration → choice → boot target.
 * What a toolstack sees of it (options, files, exit status) is in cli/main.ts.
 */
import { bytesAt, openFileSystem } from '../fsdrivers';
import { dialects, furtherDialects } from './boot';
import { allChoices, type Choice, defaultChoice, namedChoice, requestedChoice } from './boot/choose';
import { type Diagnostic, discover, pygrubWouldTake, Rank, shortName, volumeLabel } from './boot/discover';
import { Guest, type GuestParts, PV_GRUB } from './boot/guest';
import type { BootContext, BootDialect, BootMenu, BootTarget, ConfigFile } from './boot/model';
import { Budget, type Context } from './bytes/budget';
import { GuestError } from './bytes/errors';
import type { Limits } from './bytes/limits';
import { type ByteString, printable } from './bytes/text';
import type { Policy } from './policy/types';
import type { ImageChoice } from './source';
import { CacheSource } from './source/cache';
import type { BlockSource } from './source/types';
import { readTable } from './volume';

export interface Request {
  /** In order: `hd0`, `hd1` … */
  readonly disks: readonly BlockSource[];
  /** What the caller says of each disk's format; absent: nothing. */
  readonly images?: readonly ImageChoice[] | undefined;
  /** Byte at which the only filesystem of the first disk starts. */
  readonly offset?: number | undefined;
  /** The disks hold one filesystem each, opened so, and nothing that it names needs to exist (`--isconfig`). */
  readonly openAs?: GuestParts['openFileSystem'] | undefined;
  /** The ZFS dataset that the admin named, where the disks hold ZFS. */
  readonly bootfs?: ByteString | undefined;
  /** Nobody watches: nothing waits. */
  readonly quiet: boolean;
  /** Kernels are looked for where no configuration boots anything. */
  readonly guess?: boolean;
  /** What hostile input may cost, if not as `limits.ts` says. */
  readonly limits?: Limits | undefined;
  /** What the host's admin allows. */
  readonly policy?: Policy | undefined;
  /** What configurations save is written (`--write-env`). */
  readonly saves?: boolean | undefined;
  /** A warning or a decision, one printable line. */
  say(line: string): void;
}

/** What is to be booted, and where it was found. */
export interface Decision {
  readonly target: BootTarget;
  /** Undefined when the admin named the kernel. */
  readonly title: ByteString | undefined;
  /** `gpt2 ext4: /boot/grub/grub.cfg: menuentry 'X'` */
  readonly where: string;
}

/** A configuration that a person may choose from, before its default boots. */
export interface Offer {
  readonly menu: BootMenu;
  readonly config: ConfigFile;
  /** `gpt2 ext4: /boot/grub/grub.cfg` */
  readonly place: string;
}

export interface Listing {
  readonly config: ConfigFile;
  readonly dialect: BootDialect;
  readonly menu: BootMenu;
  readonly entries: readonly { readonly choice: Choice; readonly target: BootTarget }[];
  /** Index into `entries` of the guest's own default. */
  readonly default: number | null;
}

/** A configuration that could be evaluated; `place` is what messages about it begin with. */
export interface FoundMenu {
  readonly dialect: BootDialect;
  readonly config: ConfigFile;
  readonly menu: BootMenu;
  readonly place: string;
  readonly guessed?: boolean;
}

/** `gpt2 ext4: /boot/grub/grub.cfg` */
const placeOf = ({ volume, fs, path }: ConfigFile): string =>
  `${volumeLabel(volume, fs)}: ${printable(path)}`;

/** Lists, and kernels by name: what an unattended boot does not need is a chunk. */
const asked = () => require('./asked') as typeof import('./asked');

/** The program that makes PVGrub's chain: GRUB as a guest's kernel, which then reads the guest's own configuration. */
export const startsPvGrub = (target: BootTarget): boolean => PV_GRUB.test(target.kernel?.path ?? '');

/**
 * Whether source/index.ts is to be asked, which knows better: first bytes of the image formats, names of VHD's fixed disks. The
 * page that is read stays in the cache for the readers of tables.
 */
function mayBeImage(disk: BlockSource): boolean {
  try {
    return (
      /vhd$/i.test(disk.label) ||
      /^(QF|QE|co|vh|KD|CO|# |Wi|<<|\xbe\xba|\x1f\x8b)/.test(bytesAt(disk, 0, 2)?.toString('latin1') ?? '')
    );
  } catch {
    // Unreadable: those readers say so.
    return false;
  }
}

/** One run over one guest. */
export class Bootloader {
  readonly guest: Guest;
  readonly diagnostics: Diagnostic[] = [];
  /** Set by `decide` where the configuration shows a menu and somebody may be there to see it. */
  offer: Offer | undefined;
  readonly warnings: string[] = [];
  readonly policy: Policy | undefined;
  readonly #ctx: BootContext;
  readonly #request: Request;
  readonly note = (d: Diagnostic): void => void this.diagnostics.push(d);

  constructor(request: Request) {
    this.#request = request;
    this.policy = request.policy;
    const seen = new Set<string>();
    const ctx: Context = {
      budget: new Budget(request.limits),
      warn: (message) => {
        if (seen.has(message)) return;
        seen.add(message);
        this.warnings.push(message);
        request.say(`warning: ${message}`);
      },
    };
    const open: GuestParts['openFileSystem'] =
      request.openAs ?? ((source, ctx, others) => openFileSystem(source, ctx, others, request.bootfs));
    const parts: GuestParts = {
      // With --offset there is one filesystem and no table.
      readTable: request.offset === undefined && !request.openAs ? readTable : () => undefined,
      openFileSystem: this.policy?.guard(open) ?? open,
      assemble: (guest) =>
        (require('./boot/assemble') as typeof import('./boot/assemble')).assemble(guest, ctx),
    };
    this.guest = new Guest(ctx, parts);
    this.#ctx = { ...ctx, guest: this.guest, quiet: request.quiet, saves: !!request.saves, crypt: {} };
    for (const [i, disk] of request.disks.entries()) {
      const cached = new CacheSource(disk);
      const flat =
        request.images || request.offset !== undefined || mayBeImage(cached)
          ? (require('./source') as typeof import('./source')).flatDisk(cached, i, request, ctx)
          : cached;
      this.guest.addDisk(`hd${i}`, flat);
    }
  }

  get context(): BootContext {
    return this.#ctx;
  }

  /**
   * What boots: `--entry`'s, or the guest's default, or its fallbacks.
   * @returns undefined when nothing does; `diagnostics` then says why
   */
  decide(entry: ByteString | undefined): Decision | undefined {
    /** Boots PVGrub, which would go on to the next configuration; so do we. */
    let chain: Decision | undefined;
    /** What a person may still repair, where nothing boots. */
    let broken: Offer | undefined;
    for (const { config, menu, place, guessed } of this.menus()) {
      if (guessed && chain) break;
      const before = this.diagnostics.length;
      const result = this.#fromMenu(menu, entry, place, config);
      const offer = this.#request.quiet || menu.timeout === 0 ? undefined : { menu, config, place };
      if (result === 'other') {
        if (menu.entries.length > 0) broken ??= offer;
        continue;
      }
      if (result && startsPvGrub(result.target)) {
        this.#request.say(`${result.where} starts PVGrub: the next configuration is looked for`);
        chain ??= result;
        continue;
      }
      // What kept the real configurations from booting must not be hidden by the guess.
      if (result && guessed) for (const d of this.diagnostics.slice(0, before)) this.#request.say(d.text);
      if (result) {
        const theirs = pygrubWouldTake(this.guest, dialects, config.volume);
        if (theirs)
          this.#request.say(
            `taken from the active partition ${shortName(config.volume)}; pygrub would have taken ${shortName(theirs)}`,
          );
      }
      if (result?.target !== menu.immediate || !result) this.offer = offer;
      return result;
    }
    if (!chain) this.offer = broken;
    return chain;
  }

  /** `--kernel`: the file on the first volume that has it; no configuration is read. */
  named(kernel: ByteString, ramdisk: ByteString | undefined): Decision | undefined {
    return asked().named(this, kernel, ramdisk);
  }

  /** Every entry of the configuration that would be used. */
  list(): Listing | undefined {
    return asked().list(this);
  }

  /** Configurations that could be evaluated, in order. */
  *menus(): Generator<FoundMenu> {
    for (const { dialect, config } of discover(this.guest, [() => dialects, furtherDialects], this.note)) {
      const place = placeOf(config);
      try {
        this.policy?.dialect(dialect.name);
        yield this.#found(dialect, config, dialect.evaluate(config, this.#ctx));
      } catch (error) {
        if (!(error instanceof GuestError)) throw error;
        this.note({ volume: config.volume, rank: Rank.BadConfig, text: `${place}: ${error.describe()}` });
      }
    }
    if (!this.#request.guess || this.policy?.refusesGuess(this.#request.say)) return;
    const { guesses } = require('./boot/guess/guess') as typeof import('./boot/guess/guess');
    for (const found of guesses(this.guest, this.#ctx)) {
      yield { ...this.#found(found.dialect, found.config, found.menu), guessed: true };
    }
  }

  #found(dialect: BootDialect, config: ConfigFile, menu: BootMenu): FoundMenu {
    const place = placeOf(config);
    for (const warning of menu.warnings) this.#ctx.warn(`${place}: ${warning}`);
    return { dialect, config, menu: this.policy?.judgedMenu(menu, config, this.#ctx) ?? menu, place };
  }

  /** @returns `other` when this configuration has nothing that could boot, and the next one may be tried */
  #fromMenu(
    menu: BootMenu,
    entry: ByteString | undefined,
    place: string,
    config: ConfigFile,
  ): Decision | undefined | 'other' {
    const { volume } = config;
    const attempt = (choice: Choice): Decision | undefined => {
      const where = `${place}: menuentry '${choice.titles.map((t) => printable(t, 200)).join(' > ')}'`;
      const target = choice.entry.resolve();
      const readable = this.#request.openAs !== undefined && target.kernel !== undefined;
      if (target.problem === null || readable) return { target, title: choice.entry.title, where };
      this.note({ volume, rank: Rank.EntryFails, text: `${where}: ${target.problem}` });
      return undefined;
    };

    if (menu.immediate && entry === undefined) {
      if (menu.immediate.problem === null)
        return { target: menu.immediate, title: '', where: `${place}: boots by itself` };
      this.note({ volume, rank: Rank.EntryFails, text: `${place}: ${menu.immediate.problem}` });
    }
    const before = this.diagnostics.length;
    let choice: Choice | undefined;
    if (entry !== undefined) {
      choice = requestedChoice(menu, entry);
      if (!choice && menu.entries.length > 0)
        this.#request.say(
          `warning: --entry=${printable(entry)} names no entry, the guest's default is taken`,
        );
    }
    choice ??= defaultChoice(menu, (m) => this.#ctx.warn(`${place}: ${m}`));
    if (!choice) {
      const text = [place, 'has no menu entries', ...menu.warnings.slice(-1)].join(': ');
      if (!menu.immediate) this.note({ volume, rank: Rank.NoEntries, text });
      return 'other';
    }
    const decision = attempt(choice);
    if (decision) return decision;
    for (const name of menu.fallback) {
      const next = namedChoice(menu, name);
      if (!next) {
        this.#request.say(`warning: ${place}: the fallback '${printable(String(name))}' does not exist`);
        continue;
      }
      const rescued = attempt(next);
      if (rescued) {
        for (const d of this.diagnostics.slice(before)) this.#request.say(d.text);
        return rescued;
      }
    }
    // Never silently another entry: the run ends here, unless nothing at all in this configuration could boot.
    for (const other of allChoices(menu)) if (other.entry.resolve().problem === null) return undefined;
    return 'other';
  }
}
