/** Which configurations there are, which one is used, and why. */
import { dialects } from '../boot';
import { allChoices } from '../boot/choose';
import { shortName } from '../boot/discover';
import type { Volume } from '../boot/guest';
import { type Bootloader, type Decision, type FoundMenu, type Listing, startsPvGrub } from '../bootloader';
import { GuestError } from '../bytes/errors';
import { type ByteString, printable, toUnicode } from '../bytes/text';
import { entryFacts } from '../output/list';
import type { ConfigurationFacts, EntryFacts } from './document';

const asked = () => require('../asked') as typeof import('../asked');

/**
 * One look for what boots: the loader's own decision, with the configurations that it went through kept, so that none is evaluated
 * twice.
 */
export class Search {
  readonly #loader: Bootloader;
  readonly #menus: () => Generator<FoundMenu>;
  #found: FoundMenu[] = [];
  #rest: Generator<FoundMenu> | undefined;
  /** How many of them the decision has seen. */
  #seen = 0;
  decision: Decision | undefined;

  constructor(loader: Bootloader) {
    this.#loader = loader;
    this.#menus = loader.menus.bind(loader);
    const search = this;
    loader.menus = function* () {
      for (let i = 0; ; i++) {
        const found = search.#at(i);
        if (!found) return;
        search.#seen = i + 1;
        yield found;
      }
    };
  }

  /** Begins anew: an encrypted volume may be open now. */
  decide(entry: ByteString | undefined): Decision | undefined {
    this.#found = [];
    this.#rest = this.#menus();
    this.#seen = 0;
    this.decision = this.#loader.decide(entry);
    return this.decision;
  }

  #at(i: number): FoundMenu | undefined {
    if (i < this.#found.length) return this.#found[i];
    const { value, done } = this.#rest?.next() ?? { value: undefined, done: true };
    if (done || !value) return undefined;
    this.#found.push(value);
    return value;
  }

  /** The one that the decision is from; where nothing boots, the one at which the search ended, or the first with entries. */
  get chosen(): FoundMenu | undefined {
    const { decision } = this;
    if (decision) return this.#found.find((f) => decision.where.startsWith(`${f.place}: `));
    return this.#found.find((f) => bootable(f)) ?? this.#found.find((f) => f.menu.entries.length > 0);
  }

  /** All of them, also those that the decision had no need of. Guesses only where nothing else boots. */
  all(): readonly FoundMenu[] {
    const { context, warnings } = this.#loader;
    const guessing = !this.decision || this.chosen?.guessed;
    try {
      for (let i = this.#seen; !context.budget.over; i++) {
        const before = warnings.length;
        const next = this.#at(i);
        if (!next) break;
        if (!next.guessed || guessing) continue;
        // What it warned of is not the guest's state.
        warnings.length = before;
        this.#found.pop();
        break;
      }
    } catch (error) {
      if (!(error instanceof GuestError)) throw error;
      context.warn(`further configurations were not looked for: ${error.describe()}`);
    }
    return this.#found;
  }

  listing(): Listing | undefined {
    const { chosen } = this;
    return chosen && asked().listingOf(this.#loader, chosen);
  }
}

/** Whether an entry could boot. */
function bootable({ menu }: FoundMenu): boolean {
  if (menu.immediate && menu.immediate.problem === null) return true;
  for (const { entry } of allChoices(menu)) if (entry.resolve().problem === null) return true;
  return false;
}

function countOf({ menu }: FoundMenu): number {
  let count = menu.immediate ? 1 : 0;
  for (const _ of allChoices(menu)) count++;
  return count;
}

/** The pass of the search that a configuration is found in. On btrfs its path has a subvolume in front. */
function passOf({ dialect, config, guessed }: FoundMenu): 1 | 2 | 3 {
  if (guessed) return 3;
  const first = dialects.find((d) => d.name === dialect.name)?.paths ?? [];
  return first.some((path) => config.path.endsWith(path) && !config.path.startsWith('/EFI/')) ? 1 : 2;
}

export function configurationFacts(search: Search): ConfigurationFacts[] {
  const all = search.all();
  const { chosen, decision } = search;
  const chosenAt = chosen ? all.indexOf(chosen) : -1;
  return all.map((found, at): ConfigurationFacts => {
    const boots = bootable(found);
    const entries = countOf(found);
    return {
      dialect: found.dialect.name,
      volume: found.config.volume.name,
      filesystem: found.config.fs.type,
      path: toUnicode(found.config.path),
      pass: passOf(found),
      entries,
      bootable: boots,
      chosen: at === chosenAt,
      why:
        at === chosenAt
          ? chosenWhy(all, at, decision)
          : at < chosenAt || chosenAt < 0
            ? beaten(found, boots, entries)
            : laterWhy(found, chosen!, boots),
    };
  });
}

const problemOf = (found: FoundMenu): string => {
  for (const { entry } of allChoices(found.menu)) {
    const { problem } = entry.resolve();
    if (problem !== null) return `: ${problem}`;
  }
  return '';
};

/** One that came before the chosen one and was passed by. */
function beaten(found: FoundMenu, boots: boolean, entries: number): string {
  if (entries === 0) return 'is looked at earlier, and has no menu entries';
  if (!boots) return `is looked at earlier, and none of its entries can boot${problemOf(found)}`;
  return 'is looked at earlier; what it would boot is PVGrub, which goes on to the next one';
}

function chosenWhy(all: readonly FoundMenu[], at: number, decision: Decision | undefined): string {
  const found = all[at]!;
  if (found.guessed) return 'no configuration boots anything: kernels were looked for';
  if (!decision) {
    const others = all.length > 1 ? 'the search ends at it' : 'it is the only one';
    return bootable(found)
      ? `${others}, as it has entries that boot; but its default does not`
      : `${others}; none of its entries can boot${problemOf(found)}`;
  }
  if (startsPvGrub(decision.target)) return 'it starts PVGrub, and no other configuration boots anything';
  if (all.length === 1) return 'it is the only one';
  const before = all.slice(0, at);
  if (before.length > 0) return `the first in the order of the search whose entries can boot`;
  return `it is the first in the order of the search${activeFirst(found.config.volume) ? ', which begins with the active partition' : ''}, and it boots`;
}

const activeFirst = (volume: Volume): boolean => volume.scheme === 'msdos' && !!volume.partition?.active;

/** One that comes after the chosen one. */
function laterWhy(found: FoundMenu, chosen: FoundMenu, boots: boolean): string {
  const own = passOf(found);
  const besides = boots ? '' : '; and none of its entries could boot';
  if (own > passOf(chosen))
    return `its place is looked at only when nothing boots from the usual ones${besides}`;
  const { volume } = found.config;
  if (volume.name !== chosen.config.volume.name)
    return `${shortName(volume)} comes after ${shortName(chosen.config.volume)}${
      activeFirst(chosen.config.volume) ? ', the active partition' : ''
    }${besides}`;
  return `${printable(chosen.config.path)} is looked for before it on the same volume${besides}`;
}

export const entriesOf = (listing: Listing | undefined): EntryFacts[] =>
  (listing?.entries ?? []).map(({ choice, target }, index) => ({
    ...entryFacts(index, choice, target),
    default: index === listing!.default,
  }));
