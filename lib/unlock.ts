/**
 * Encrypted volumes, when nothing boots without them: keys are tried, somebody is asked, and what opens is a disk of the guest's,
 * `crypto0` or `cryptouuid/…` as in GRUB. A chunk. Before that, nothing is asked and no key is derived: a guest whose root alone is
 * encrypted boots from its plain /boot.
 */
import { bootOrder, type Diagnostic, Rank, shortName } from './boot/discover';
import type { Volume } from './boot/guest';
import type { Bootloader } from './bootloader';
import { corrupt, GuestError, limit } from './bytes/errors';
import { printable } from './bytes/text';
import type { BlockSource } from './source/types';
import { KeyWork, type LuksHeader, openLuks, readHeader, shortUuid } from './volume/luks/luks';

/** What the admin gave (cli/keys.ts). */
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
}

/**
 * Opens encrypted volumes until `find` finds something.
 * @param asker made when somebody has to be asked; undefined: nobody is there
 * @returns what `find` gave last; the loader's diagnostics then say why a volume was not opened
 */
export async function unlocked<T>(
  loader: Bootloader,
  find: () => T | undefined,
  keys: Keys,
  asker: (() => Asker) | undefined,
): Promise<T | undefined> {
  const { guest, context: ctx } = loader;
  /** Volume → what is said of it; undefined for one that was opened. */
  const told = new Map<Volume, string | undefined>();
  const locked: Locked[] = [];
  let opened = 0;
  let person: Asker | undefined;
  const work = new KeyWork();

  const attempt = async <R>(volume: Volume, name: string, act: () => R | Promise<R>): Promise<R | undefined> => {
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof GuestError)) throw error;
      told.set(volume, `${name}${error.describe()}`);
      return undefined;
    }
  };

  /** Notes encrypted volumes that were not there before: an opened one may hold others. */
  const seen = new Set<Volume>();
  const look = async (): Promise<void> => {
    for (const disk of [...guest.disks]) {
      for (const volume of bootOrder(disk)) {
        if (seen.has(volume) || (volume === disk.whole && disk.partitions.length > 0)) continue;
        seen.add(volume);
        ctx.budget.step();
        await attempt(volume, '', () => {
          const own = readHeader(volume.source, ctx);
          if (own) locked.push({ volume, header: own, on: volume.source });
          else if (keys.header && isUnknown(volume)) {
            const header = readHeader(keys.header, ctx);
            if (!header) throw corrupt(`${keys.header.label} holds no LUKS header`);
            locked.push({ volume, header, on: keys.header });
          }
        });
      }
    }
  };

  /** @returns whether the volume is open now */
  const open = async (one: Locked, secrets: readonly Buffer[], spent: KeyWork, given: string): Promise<boolean> => {
    const { volume, header, on } = one;
    const name = `luks${header.version}: `;
    const source = await attempt(volume, name, async () => {
      if (opened >= MOST) throw limit(`more than ${MOST} encrypted volumes`);
      const label = `crypto${opened}`;
      const found = await openLuks(volume.source, header, secrets, ctx, { on, work: spent, label });
      if (!found) told.set(volume, `${name}${given} of its ${header.slots.length} key slots`);
      return found;
    });
    if (!source) return false;
    const disk = guest.addDisk(source.label, source, { alias: `cryptouuid/${shortUuid(header)}`, of: volume });
    if (on !== volume.source && disk.partitions.length === 0 && isUnknown(disk.whole)) {
      // A detached header opens with its key whatever the volume is.
      guest.removeDisk(disk.name);
      told.set(volume, `${name}nothing that is known here behind the detached header`);
      return false;
    }
    opened++;
    told.set(volume, undefined);
    locked.splice(locked.indexOf(one), 1);
    return true;
  };

  /** With key files, until nothing new appears. */
  const withFiles = async (): Promise<void> => {
    await look();
    if (keys.secrets.length === 0) return;
    const tried = new Set<Locked>();
    for (let one = locked[0]; one; one = locked.find((l) => !tried.has(l))) {
      tried.add(one);
      if (await open(one, keys.secrets, work, 'the given key opens none')) await look();
    }
  };

  const again = (): T | undefined => {
    loader.diagnostics.length = 0;
    loader.offer = undefined;
    return find();
  };

  /** Asks for one volume. @returns whether it is open now */
  const asked = async (one: Locked, known: readonly Buffer[]): Promise<boolean | Buffer> => {
    const uuid = printable(shortUuid(one.header), 40);
    if (known.length > 0 && (await open(one, known, new KeyWork(), 'what was typed opens none'))) return true;
    for (let tries = TRIES; tries > 0; tries--) {
      const typed = await person!.ask(`Enter passphrase for ${one.volume.name} (${uuid}): `);
      if (!typed) {
        if (!told.get(one.volume)) told.set(one.volume, `luks${one.header.version}: encrypted, and ${person!.reason}`);
        return false;
      }
      if (await open(one, [typed], new KeyWork(), 'what was typed opens none')) return typed;
      typed.fill(0);
      person!.say(`${shortName(one.volume)} ${told.get(one.volume)}`);
    }
    return false;
  };

  const typed: Buffer[] = [];
  try {
    ctx.unlocking = true;
    await withFiles();
    // Also where nothing was opened: kernels without a configuration are looked for only now.
    if (seen.size > 0 && (locked.length > 0 || opened > 0)) {
      const found = again();
      if (found !== undefined) return found;
    }
    // Those first that a configuration asked for.
    const wanted = (one: Locked) => (ctx.keysWanted?.has(shortUuid(one.header).toLowerCase()) ? 0 : 1);
    while (asker && locked.length > 0) {
      const [one] = [...locked].sort((a, b) => wanted(a) - wanted(b));
      person ??= asker();
      const result = await asked(one!, typed);
      if (result === false) {
        locked.splice(locked.indexOf(one!), 1);
        continue;
      }
      if (result !== true) typed.push(result);
      await withFiles();
      const found = again();
      if (found !== undefined) return found;
    }
    return undefined;
  } finally {
    person?.close();
    for (const secret of typed) secret.fill(0);
    amend(loader.diagnostics, told);
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

/** The diagnostics were made by those who knew of no keys. */
function amend(diagnostics: Diagnostic[], told: ReadonlyMap<Volume, string | undefined>): void {
  const kept = diagnostics.filter(({ volume }) => !told.has(volume));
  for (const [volume, text] of told)
    if (text !== undefined) kept.push({ volume, rank: Rank.Unreadable, text: `${shortName(volume)} ${text}` });
  diagnostics.splice(0, diagnostics.length, ...kept);
}
