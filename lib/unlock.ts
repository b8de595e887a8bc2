/**
 * Encrypted volumes, when nothing boots without them: keys are tried, somebody is asked, and what opens is a disk of the guest's,
 * `crypto0` or `cryptouuid/…` as in GRUB. A chunk. Before that, nothing is asked and no key is derived: a guest whose root alone is
 * encrypted boots from its plain /boot.
 */
import { bootOrder, type Diagnostic, Rank, shortName } from './boot/discover';
import type { Volume } from './boot/guest';
import type { CryptRequest } from './boot/model';
import type { Bootloader } from './bootloader';
import { corrupt, GuestError, limit } from './bytes/errors';
import { printable } from './bytes/text';
import type { BlockSource } from './source/types';
import { KeyWork, type LuksHeader, openLuks, readHeader, shortUuid } from './volume/luks/luks';

/** What the admin gave (cli/keys.ts); the caller's to wipe. */
export interface Keys {
  /** Contents of the key files. */
  readonly secrets: readonly Buffer[];
  /** A detached header. */
  readonly header: BlockSource | undefined;
}

/** Somebody at the console. */
export interface Asker {
  /** @param words GRUB's question @returns the bytes, the caller's to wipe; undefined when none will come */
  ask(words: string): Promise<Buffer | undefined>;
  say(line: string): void;
  /** Why nothing more will come: `nobody typed a passphrase within 30 s`. */
  readonly reason: string;
  close(): void;
}

/** Wrong passphrases that a person may type for one volume; GRUB asks once, cryptsetup three times. */
const TRIES = 3;
/** Encrypted volumes that are opened: each may hold another. */
const MOST = 64;

interface Locked {
  readonly volume: Volume;
  readonly header: LuksHeader;
  /** What the header is on. */
  readonly on: BlockSource;
  /** How many of the keys were tried. */
  tried?: number;
  asked?: true;
}

/** Share of the work that keys which the guest itself gives may cost: nobody asked for it. */
const OWN_SHARE = 0.1;
/** More than any reason of a configuration's: what is encrypted may hold another. */
const WANTED = 7 as Rank;

/**
 * Opens encrypted volumes until `find` finds something: with keys that the configuration gives, then with the admin's, then somebody
 * is asked.
 * @param found what `find` gave before; with it only what a configuration missed is opened, and nobody is asked
 * @param asker made when somebody is to be asked; undefined: nobody is there
 * @param say tells what was opened
 * @param wantedOnly what no configuration asked for stays closed
 * @returns what `find` gave last; the loader's diagnostics then say why a volume was not opened
 */
export async function unlocked<T>(
  loader: Bootloader,
  find: () => T | undefined,
  found: T | undefined,
  keys: Keys,
  asker: (() => Asker) | undefined,
  say: (line: string) => void,
  wantedOnly = false,
): Promise<T | undefined> {
  const run = new Unlocking(loader, find, found, keys, asker, say, wantedOnly);
  try {
    return await run.run();
  } finally {
    run.end();
  }
}

class Unlocking<T> {
  /** Volume → what is said of it; undefined for one that was opened. */
  readonly #told = new Map<Volume, string | undefined>();
  readonly #seen = new Set<Volume>();
  readonly #locked: Locked[] = [];
  /** Passphrases that opened something. */
  readonly #typed: Buffer[] = [];
  readonly #work = { own: new KeyWork(OWN_SHARE), files: new KeyWork() };
  readonly #crypt: NonNullable<Bootloader['context']['crypt']>;
  /** An earlier call's among them, where a library made one. */
  #opened: number;
  #person: Asker | undefined;

  constructor(
    readonly loader: Bootloader,
    readonly find: () => T | undefined,
    private result: T | undefined,
    readonly keys: Keys,
    private asker: (() => Asker) | undefined,
    readonly say: (line: string) => void,
    readonly wantedOnly: boolean,
  ) {
    this.#crypt = loader.context.crypt ?? {};
    this.#opened = loader.guest.disks.filter(({ name }) => /^crypto\d+$/.test(name)).length;
  }

  async run(): Promise<T | undefined> {
    const crypt = this.#crypt;
    for (;;) {
      this.loader.context.budget.step();
      await this.#look();
      // Each of these opens at least one volume, or there is none of it again.
      if ((await this.#withOwnKeys()) || (await this.#withKeys())) {
        this.#again();
        continue;
      }
      if (this.result !== undefined) return this.result;
      const wanted = this.#wanted();
      // Kernels without a configuration are looked for only now: what is encrypted may hold one.
      if (wanted.length === 0 && !crypt.tried && this.#seen.size > 0) {
        crypt.tried = true;
        if (this.#locked.length > 0 || this.#opened > 0) this.#again();
        continue;
      }
      // A person who has a menu to choose from is not asked for what nobody wanted.
      const candidates = wanted.length > 0 ? wanted : this.loader.offer ? [] : this.#locked;
      const one = candidates.find((l) => !l.asked);
      if (this.asker && one) {
        one.asked = true;
        if (await this.#asked(one)) this.#again();
        continue;
      }
      if (crypt.tried || this.#locked.length === 0) return undefined;
      crypt.tried = true;
      this.#again();
    }
  }

  /** Ends the questions, wipes what was typed, puts the right words into the diagnostics. */
  end(): void {
    this.#person?.close();
    for (const secret of this.#typed) secret.fill(0);
    for (const { secret } of this.#crypt.wanted ?? []) secret?.fill(0);
    const wanted = this.#wanted();
    for (const one of this.#locked) {
      if (this.#told.get(one.volume) === undefined) this.#tell(one, `no key was given: ${HOW}`);
      if (this.result !== undefined && wanted.includes(one))
        this.loader.context.warn(`${shortName(one.volume)} ${this.#told.get(one.volume)}`);
    }
    const { diagnostics } = this.loader;
    const kept = diagnostics.filter(({ volume }) => !this.#told.has(volume));
    const lines: Diagnostic[] = [];
    for (const [volume, text] of this.#told) {
      if (text === undefined) continue;
      const rank = wanted.some((one) => one.volume === volume) ? WANTED : Rank.NoEntries;
      lines.push({ volume, rank, text: `${shortName(volume)} ${text}` });
    }
    // Of two with the same rank the first is the reason.
    diagnostics.splice(0, diagnostics.length, ...lines, ...kept);
  }

  #tell({ volume, header }: Locked, words: string): void {
    this.#told.set(volume, `luks${header.version}: encrypted (${printable(header.uuid, 40)}), ${words}`);
  }

  /** Everything anew, with what is open now. */
  #again(): void {
    const { loader } = this;
    loader.diagnostics.length = 0;
    loader.offer = undefined;
    for (const { secret } of this.#crypt.wanted ?? []) secret?.fill(0);
    this.#crypt.wanted = undefined;
    this.result = this.find();
  }

  /** What is locked and a configuration asked for. */
  #wanted(): Locked[] {
    const requests = this.#crypt.wanted ?? [];
    return this.#locked.filter((one) => requests.some((request) => isFor(request, one)));
  }

  /** Notes encrypted volumes that were not there before: an opened one may hold others. */
  async #look(): Promise<void> {
    const { guest, context: ctx } = this.loader;
    for (const disk of [...guest.disks]) {
      for (const volume of bootOrder(disk)) {
        if (this.#seen.has(volume) || (volume === disk.whole && disk.partitions.length > 0)) continue;
        this.#seen.add(volume);
        ctx.budget.step();
        if (guest.disks.some((d) => d.of?.source === volume.source)) continue;
        await this.#attempt(volume, '', () => this.#note(volume));
      }
    }
  }

  #note(volume: Volume): void {
    const { keys, loader } = this;
    const { header: detached } = keys;
    let own: LuksHeader | undefined;
    let damage: GuestError | undefined;
    try {
      own = readHeader(volume.source, loader.context, isUnknown(volume));
    } catch (error) {
      if (!(error instanceof GuestError)) throw error;
      damage = error;
    }
    if (detached && (damage || own || isUnknown(volume))) {
      const header = readHeader(detached, loader.context, true);
      if (!header) throw corrupt(`${detached.label} holds no LUKS header`);
      if (!own || own.uuid === header.uuid) {
        this.#locked.push({ volume, header, on: detached });
        return;
      }
    }
    if (damage) throw damage;
    if (own) this.#locked.push({ volume, header: own, on: volume.source });
  }

  async #attempt<R>(volume: Volume, name: string, act: () => R | Promise<R>): Promise<R | undefined> {
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof GuestError)) throw error;
      this.#told.set(volume, `${name}${error.describe()}`);
      return undefined;
    }
  }

  /** @param given what is said where no key slot opens @returns whether the volume is open now */
  async #open(one: Locked, secrets: readonly Buffer[], work: KeyWork, given: string): Promise<boolean> {
    const { volume, header, on } = one;
    const { guest, context: ctx } = this.loader;
    const name = `luks${header.version}: encrypted (${printable(header.uuid, 40)}): `;
    const source = await this.#attempt(volume, name, async () => {
      if (this.#opened >= MOST) throw limit(`more than ${MOST} encrypted volumes`);
      const label = `crypto${this.#opened}`;
      const opened = await openLuks(volume.source, header, secrets, ctx, { on, work, label });
      if (!opened) this.#tell(one, `${given} of its ${header.slots.length} key slots`);
      return opened;
    });
    if (!source) return false;
    const disk = guest.addDisk(source.label, source, {
      alias: `cryptouuid/${shortUuid(header)}`,
      of: volume,
    });
    if (on !== volume.source && disk.partitions.length === 0 && isUnknown(disk.whole)) {
      // A detached header opens with its key whatever the volume is.
      guest.removeDisk(disk.name);
      this.#tell(one, 'what its detached header makes of it is nothing that is known here');
      return false;
    }
    this.#opened++;
    this.#told.set(volume, undefined);
    // What was said before was said without it.
    this.say(`${shortName(volume)} luks${header.version}: opened as ${disk.name}`);
    this.#locked.splice(this.#locked.indexOf(one), 1);
    return true;
  }

  /** With `cryptomount -p` and the like. */
  async #withOwnKeys(): Promise<boolean> {
    let any = false;
    for (const request of [...(this.#crypt.wanted ?? [])]) {
      const { secret, header: on, volume } = request;
      if (on && volume) {
        const header = await this.#attempt(volume, '', () => readHeader(on, this.loader.context, true));
        if (header && !this.#locked.some((one) => one.volume.source === volume.source))
          this.#locked.push({ volume, header, on });
      }
      if (!secret) continue;
      const matching = this.#locked.filter((one) => isFor(request, one));
      for (const one of matching)
        any = (await this.#open(one, [secret], this.#work.own, "the configuration's key opens none")) || any;
    }
    return any;
  }

  /** With key files and what was typed for others, those first that a configuration asked for. @returns whether one more is open */
  async #withKeys(): Promise<boolean> {
    const secrets = [...this.keys.secrets, ...this.#typed];
    // With something to boot, the others stay closed: each costs seconds.
    const others = this.result === undefined && !this.wantedOnly ? this.#locked : [];
    for (const one of [...this.#wanted(), ...others]) {
      const untried = secrets.slice(one.tried ?? 0);
      if (untried.length === 0) continue;
      one.tried = secrets.length;
      if (await this.#open(one, untried, this.#work.files, 'the given key opens none')) return true;
    }
    return false;
  }

  /** Asks for one volume. @returns whether it is open now */
  async #asked(one: Locked): Promise<boolean> {
    this.#person ??= this.asker!();
    const person = this.#person;
    for (let tries = TRIES; tries > 0; tries--) {
      const typed = await person.ask(
        `Enter passphrase for ${one.volume.name} (${printable(shortUuid(one.header), 40)}): `,
      );
      if (!typed) {
        if (this.#told.get(one.volume) === undefined) this.#tell(one, `${person.reason}: ${HOW}`);
        // Nobody is asked again who has left.
        this.asker = undefined;
        return false;
      }
      if (await this.#open(one, [typed], new KeyWork(), 'what was typed opens none')) {
        this.#typed.push(typed);
        return true;
      }
      typed.fill(0);
      person.say(`${shortName(one.volume)} ${this.#told.get(one.volume)}`);
    }
    return false;
  }
}

const HOW = '--key-file=FILE or --key-fd=N gives one';

const isFor = ({ uuid, volume }: CryptRequest, one: Locked): boolean =>
  (uuid === undefined || uuid === shortUuid(one.header).toLowerCase()) &&
  (volume === undefined || volume.source === one.volume.source);

/**
 * For an entry that somebody chose in a menu, and that missed encrypted volumes: opens one with the configuration's keys, the admin's, or
 * what is typed. Nothing else of what the run has found is changed.
 * @returns undefined: one was opened, and the entry is worth another try; otherwise why not
 */
export async function unlockChosen(
  loader: Bootloader,
  keys: Keys,
  asker: () => Asker,
): Promise<string | undefined> {
  const { guest, offer, diagnostics, context } = loader;
  const before = guest.disks.length;
  const opened = () => (guest.disks.length > before ? true : undefined);
  const kept = diagnostics.splice(0);
  // Kernels without a configuration are not looked for.
  if (context.crypt) context.crypt.tried = true;
  try {
    if (await unlocked(loader, opened, undefined, keys, asker, () => {}, true)) return undefined;
    return diagnostics.find(({ rank }) => rank === WANTED)?.text ?? '';
  } finally {
    loader.offer = offer;
    diagnostics.splice(0, diagnostics.length, ...kept);
  }
}

/** Nothing that is read here lies on it: random bytes, as far as anybody can tell. */
function isUnknown(volume: Volume): boolean {
  try {
    return volume.source.size > 0 && volume.filesystem() === undefined;
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    return false;
  }
}
