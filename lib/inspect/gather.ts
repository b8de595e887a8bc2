/** From a guest to the document: each part of it is gathered by a file of its own. */
import { shortName } from '../boot/discover';
import type { Volume } from '../boot/guest';
import type { BootTarget } from '../boot/model';
import type { Bootloader, Decision } from '../bootloader';
import type { Context } from '../bytes/budget';
import { GuestError } from '../bytes/errors';
import { fromHost, printable, toUnicode } from '../bytes/text';
import type { ParsedOption } from '../cli/getopt';
import { failureLines } from '../diagnostics';
import { entryFacts } from '../output/list';
import { advice } from './advice';
import { configurationFacts, entriesOf, type Search } from './configurations';
import { type GivenDisk, survey } from './disks';
import type { BootFacts, Content, DiskFacts, Inspection } from './document';
import { kernelFacts } from './kernel';
import { encryptedIn, setsOf } from './sets';
import { systemFacts, systemsOn } from './systems';
import { snippets } from './xl';

export interface Asked {
  readonly image: string;
  readonly given: readonly GivenDisk[];
  readonly keys: readonly ParsedOption[];
  /** The arguments with what the caller adds to them. */
  args(target: BootTarget): string;
}

const RUNTIME = /^RuntimeError: .*? does not boot: /;

export function inspection(
  loader: Bootloader,
  search: Search,
  decision: Decision | undefined,
  asked: Asked,
): Inspection {
  const { guest, context } = loader;
  // What is wrong was told when it was looked at for booting; looking again says it again.
  const quiet: Context = { budget: context.budget, warn: () => {} };
  const missed: string[] = [];
  /** A part that a limit ends is left out, and that is said. */
  const part = <T>(name: string, otherwise: T, gather: () => T): T => {
    try {
      return gather();
    } catch (error) {
      if (!(error instanceof GuestError)) throw error;
      missed.push(`${name}: ${error.describe()}`);
      return otherwise;
    }
  };
  const none = new Map<Volume, Content>();
  const configurations = part('configurations', [], () => configurationFacts(search));
  const listing = part('entries', undefined, () => search.listing());
  const sets = part('volumes', undefined, () => setsOf(guest, quiet));
  const noSets = { groups: [], arrays: [], array: () => undefined, group: () => undefined };
  const { disks, contents } = part('disks', { disks: [], contents: none }, () =>
    quietly(loader, () => survey(guest, asked.given, sets ?? noSets, quiet)),
  );
  const encrypted = part('encrypted volumes', [], () => encryptedIn(guest, contents, quiet));
  const systems = part('systems', [], () => systemsOn(contents, quiet));
  const boot = decision ? bootFacts(decision, asked) : null;
  const kernelFile = decision?.target.kernel ?? defaultKernel(listing);
  const kernel = kernelFile
    ? part('kernel', null, () =>
        kernelFacts(
          kernelFile,
          systems.filter((s) => !s.windows),
          quiet,
        ),
      )
    : null;
  const chosen = configurations.find((one) => one.chosen);
  const known = { guest, disks, contents, systems, boot, dialect: chosen?.dialect ?? null, kernel };
  const reasons = boot ? [] : reasonsOf(loader, contents);
  return {
    image: asked.image,
    boots: boot !== null,
    boot,
    reasons,
    disks,
    groups: sets?.groups ?? [],
    arrays: sets?.arrays ?? [],
    encrypted,
    systems: systemFacts(systems),
    configurations,
    entries: entriesOf(listing),
    kernel,
    advice: part('advice', [], () => advice(known, quiet)),
    xl: snippets({
      disks,
      boot,
      kernel,
      windows: systems.some((system) => system.windows),
      efi: part('EFI', false, () => hasEfiLoader(contents, systems)),
      keys: asked.keys,
      reason: reasons[0],
    }),
    warnings: [...new Set([...loader.warnings, ...cutDisks(disks), ...missed])],
  };
}

/** Does what would say again what was said, or what nobody needs to hear. */
export function quietly<T>({ warnings }: Pick<Bootloader, 'warnings'>, act: () => T): T {
  const before = warnings.length;
  try {
    return act();
  } finally {
    warnings.length = before;
  }
}

export function bootFacts({ target, title, where }: Decision, asked: Pick<Asked, 'args'>): BootFacts {
  const choice = {
    entry: { title: title ?? '', id: '', text: '', resolve: () => target },
    path: [],
    titles: [],
  };
  const { kernel, initrd } = entryFacts(0, choice, target);
  return {
    title: title === undefined ? null : toUnicode(title),
    where,
    kernel: kernel ?? '',
    initrd,
    args: toUnicode(asked.args(target)),
    notes: target.notes,
  };
}

type Listing = ReturnType<Search['listing']>;

/** Of the entry that would boot if it could: its kernel may be there, and only something else is missing. */
function defaultKernel(listing: Listing) {
  const kernel = listing?.entries[listing.default ?? 0]?.target.kernel;
  return kernel?.found ? kernel : undefined;
}

/** Most likely first. What is no filesystem is called by its name, where that is known. */
export function reasonsOf(
  { diagnostics }: Pick<Bootloader, 'diagnostics'>,
  contents: ReadonlyMap<Volume, Content>,
): string[] {
  const lines = failureLines('x', diagnostics);
  const last = lines.pop()!.replace(RUNTIME, '');
  const names = new Map<string, string>();
  for (const [volume, { kind, name }] of contents)
    if (kind !== 'filesystem') names.set(`${shortName(volume)}: no filesystem that is known here`, name);
  const told = [...new Set(lines)].map((line) => {
    const name = names.get(line);
    return name === undefined
      ? line
      : line.replace(/no filesystem that is known here$/, printable(fromHost(name)));
  });
  // A sum of the lines that follow.
  const summed = /^no (?:filesystem|boot configuration)\b.* on /.test(last) && told.length > 0;
  return summed ? told : [last, ...told.filter((line) => line !== last)];
}

/** What a disk's table says of more than the disk has. */
function cutDisks(disks: readonly DiskFacts[]): string[] {
  return disks.flatMap(({ name, size, table }) => {
    const end = Math.max(
      table?.madeFor ?? 0,
      ...(table?.partitions ?? []).map((p) => p.start + p.declaredSize),
    );
    return end > size
      ? [
          `${printable(name)}: its table is made for ${end} bytes, the disk has ${size}: ${end - size} bytes are missing at its end`,
        ]
      : [];
  });
}

function openable(volume: Volume) {
  try {
    return volume.filesystem();
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    return undefined;
  }
}

/** A loader that firmware finds by itself, or Windows'. */
function hasEfiLoader(
  contents: ReadonlyMap<Volume, Content>,
  systems: readonly { volume: Volume; windows: boolean }[],
): boolean {
  for (const [volume, content] of contents) {
    if (content.type !== 'vfat') continue;
    const fs = openable(volume);
    const names = ['bootx64.efi', 'bootaa64.efi', 'bootia32.efi'];
    const efi = fs?.lookup(fs.root, 'EFI');
    const boot = efi?.kind === 'directory' ? fs!.lookup(efi, 'BOOT') : undefined;
    if (boot?.kind === 'directory')
      for (const entry of fs!.readdir(boot)) if (names.includes(entry.name.toLowerCase())) return true;
    if (systems.some((system) => system.windows && system.volume === volume) && efi) return true;
  }
  return false;
}
