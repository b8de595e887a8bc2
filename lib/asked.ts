/** What is asked of a guest besides its default: a kernel by its path, the list of all entries. A chunk. */
import { allChoices, defaultChoice } from './boot/choose';
import { bootOrder, Rank, readableFileSystem, volumeLabel } from './boot/discover';
import { payload } from './boot/guest';
import type { BootTarget } from './boot/model';
import { type Bootloader, type Decision, type FoundMenu, type Listing, startsPvGrub } from './bootloader';
import { variable } from './bytes/over';
import type { ByteString } from './bytes/text';

/** `--kernel`: the file on the first volume that has it; no configuration is read. */
export function named(
  loader: Bootloader,
  kernel: ByteString,
  ramdisk: ByteString | undefined,
): Decision | undefined {
  const slash = (path: ByteString) => (path.startsWith('/') || path.startsWith('(') ? path : `/${path}`);
  for (const disk of loader.guest.everyDisk()) {
    for (const volume of bootOrder(disk)) {
      const whole = volume === disk.whole && disk.partitions.length > 0;
      const fs = readableFileSystem(volume, whole ? () => {} : loader.note);
      if (!fs) continue;
      const file = payload(loader.guest.file(slash(kernel), volume), true);
      const initrd = ramdisk === undefined ? undefined : payload(loader.guest.file(slash(ramdisk), volume));
      const problem = file.problem ?? initrd?.problem ?? null;
      const where = volumeLabel(volume, fs);
      if (problem !== null) {
        loader.note({
          volume,
          rank: file.problem ? Rank.BadConfig : Rank.EntryFails,
          text: `${where}: ${problem}`,
        });
        continue;
      }
      let target: BootTarget = {
        kernel: file,
        initrds: initrd ? [{ file: initrd }] : [],
        args: '',
        root: volume.name,
        problem: null,
        notes: [],
      };
      target = loader.policy?.judged(target, loader.context) ?? target;
      if (target.problem === null) return { target, title: undefined, where };
      loader.note({ volume, rank: Rank.EntryFails, text: `${where}: ${target.problem}` });
    }
  }
  return undefined;
}

/**
 * Every entry of the configuration that would be used: the first with an entry that can boot, or else the first
 * that has entries, or else the first. One whose default starts PVGrub comes after those that boot by themselves.
 */
export function list(loader: Bootloader): Listing | undefined {
  let best: { listing: Listing; rank: number } | undefined;
  for (const found of loader.menus()) {
    if (found.guessed && best && best.rank > 1) break;
    const listing = listingOf(loader, found);
    const { entries } = listing;
    const boots = entries.some((e) => e.target.problem === null);
    const target = entries[listing.default ?? -1]?.target;
    if (boots && !(target && startsPvGrub(target))) return listing;
    const rank = boots ? 2 : Math.min(entries.length, 1);
    if (!best || rank > best.rank) best = { listing, rank };
  }
  return best?.listing;
}

/** All entries of one configuration, resolved; what boots without a menu as the last one. */
export function listingOf(loader: Bootloader, { dialect, config, menu }: FoundMenu): Listing {
  const most = loader.context.budget.limits.menuEntries;
  const entries = [...allChoices(menu, most)].map((choice) => ({ choice, target: choice.entry.resolve() }));
  if (entries.length >= most)
    loader.context.warn(`only the first ${most} entries are listed (${variable('menuEntries')})`);
  const met = entries.filter((e) => e.target.problem?.includes('(NODEGRUB_MAX_'));
  if (met.length > 0)
    loader.context.warn(
      `${met.length} of ${entries.length} entries meet a limit, the first: ${met[0]!.target.problem}`,
    );
  if (menu.immediate) {
    const title = '(no menu: this configuration boots by itself)';
    const target = menu.immediate;
    entries.push({
      choice: {
        entry: { title, id: '', text: '', resolve: () => target },
        path: [menu.entries.length],
        titles: [title],
      },
      target,
    });
  }
  const chosen = defaultChoice(menu, (m) => loader.context.warn(m))?.path.join('>');
  const at = menu.immediate
    ? entries.length - 1
    : entries.findIndex((e) => chosen !== undefined && e.choice.path.join('>') === chosen);
  return { config, dialect, menu, entries, default: at < 0 ? null : at };
}
