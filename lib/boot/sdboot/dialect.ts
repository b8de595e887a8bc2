/**
 * systemd-boot's menu: the entries of the EFI system partition and of the extended boot loader partition of the same
 * disk, sorted, and the default that loader.conf names. Without a loader.conf it serves the dialect `bls`.
 */
import { GuestError } from '../../bytes/errors';
import { type ByteString, fromBytes, printable } from '../../bytes/text';
import { readWhole } from '../../fs/file';
import { tryWalk } from '../../fs/walk';
import { compareItems, type Item, lower, type Place, uniqueTitles } from '../bls/item';
import { targetOf } from '../bls/target';
import { readType1 } from '../bls/type1';
import { readType2 } from '../bls/type2';
import type { Volume } from '../guest';
import type { BootContext, BootMenu, ConfigFile, MenuEntry } from '../model';
import { matchesGlob } from './glob';
import { type LoaderConf, parseLoaderConf } from './loader-conf';

/** GPT partition types (specification, "The Partitions"). */
const ESP = 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b';
const XBOOTLDR = 'bc13c2ff-59e6-4262-a352-b275fd6f7172';

const MAX_WARNINGS = 100;

export function evaluate(config: ConfigFile, ctx: BootContext): BootMenu {
  const inner: BootContext = { ...ctx, budget: ctx.budget.child('evaluation', 'the configuration') };
  const warnings: string[] = [];
  const warn = (message: string): void => {
    if (warnings.length < MAX_WARNINGS) warnings.push(message);
    else if (warnings.length === MAX_WARNINGS) warnings.push('more went wrong with the entries');
  };
  const places = placesOf(config, ctx, warn);
  const conf = loaderConf(places[0]!, inner, warn);
  const items: Item[] = [];
  for (const place of places) {
    const more: Item[] = [];
    const told = places.length > 1 ? (m: string) => warn(`${place.volume.name}: ${m}`) : warn;
    for (const read of [readType2, readType1]) {
      try {
        read(place, inner, more, told);
      } catch (error) {
        if (!(error instanceof GuestError)) throw error;
        told(error.describe());
      }
    }
    for (const item of more) items.push(item);
  }
  const shown = items.filter((item) => item.shown).sort(compareItems);
  const rest = items.filter((item) => !item.shown).sort(compareItems);
  const titles = [...uniqueTitles(shown), ...uniqueTitles(rest)];
  const all = [...shown, ...rest];
  const chosen = defaultOf(shown, conf, warn);
  return {
    entries: all.map((item, i) => new Entry(item, titles[i]!, ctx)),
    default: chosen < 0 ? undefined : [chosen],
    fallback: [],
    timeout: conf?.timeout ?? null,
    timeoutStyle: conf?.timeoutStyle ?? 'menu',
    console: '',
    ...(conf && !conf.editor ? { editable: false } : {}),
    warnings,
  };
}

/**
 * Where entries are looked for; the first is where loader.conf is. systemd-boot is started from the ESP and looks for
 * the XBOOTLDR partition on its disk; found on either, the menu is the same.
 */
function placesOf(config: ConfigFile, ctx: BootContext, warn: (message: string) => void): Place[] {
  const { volume, fs, path } = config;
  const prefix = /^(.*?)\/(?:loader|EFI)\//.exec(path)?.[1] ?? '';
  const here: Place = { volume, fs, prefix };
  const type = volume.scheme === 'gpt' ? volume.partition?.type.toLowerCase() : undefined;
  if (prefix !== '' || (type !== ESP && type !== XBOOTLDR)) return [here];
  const disk = ctx.guest.disks.find(({ name }) => name === volume.disk);
  const wanted = type === ESP ? XBOOTLDR : ESP;
  const other = disk?.partitions.find((v) => v.partition?.type.toLowerCase() === wanted);
  const there = other && openPlace(other, warn);
  if (!there) return [here];
  return type === ESP ? [here, there] : [there, here];
}

function openPlace(volume: Volume, warn: (message: string) => void): Place | undefined {
  try {
    const fs = volume.filesystem();
    return fs && { volume, fs, prefix: '' };
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    warn(`${volume.name}: ${error.describe()}`);
    return undefined;
  }
}

function loaderConf(place: Place, ctx: BootContext, warn: (message: string) => void): LoaderConf | undefined {
  const path = `${place.prefix}/loader/loader.conf`;
  const told = (message: string) => warn(`${printable(path)}: ${message}`);
  try {
    const node = tryWalk(place.fs, path);
    if (node?.kind !== 'file') return undefined;
    return parseLoaderConf(fromBytes(readWhole(place.fs, node, 'smallFileBytes', ctx)), ctx, told);
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    told(`${error.describe()}, it is left out`);
    return undefined;
  }
}

/** Position in `items`, -1 when there are none. What EFI variables say is not on the disk. */
function defaultOf(
  items: readonly Item[],
  conf: LoaderConf | undefined,
  warn: (message: string) => void,
): number {
  for (const key of ['preferred', 'default'] as const) {
    const wanted = conf?.[key];
    if (wanted === undefined) continue;
    if (lower(wanted) === '@saved') {
      warn(`${key} @saved: which entry was booted last stands in an EFI variable, not on the disk`);
      continue;
    }
    const at = find(items, wanted, key === 'preferred');
    if (at >= 0) return at;
    if (items.length > 0)
      warn(`${key} ${printable(wanted)}: matches no entry${key === 'default' ? ', the first is taken' : ''}`);
  }
  return items.length > 0 ? 0 : -1;
}

/** By the id; then by the file's name with its counter, which systemd-boot before 258 compared. */
function find(items: readonly Item[], pattern: ByteString, withTries: boolean): number {
  const folded = lower(pattern);
  for (const name of [(item: Item) => item.id, (item: Item) => item.fileName]) {
    const at = items.findIndex(
      (item) => !(withTries && item.triesLeft === 0) && matchesGlob(folded, lower(name(item))),
    );
    if (at >= 0) return at;
  }
  return -1;
}

class Entry implements MenuEntry {
  readonly id: ByteString;

  constructor(
    private readonly item: Item,
    readonly title: ByteString,
    private readonly ctx: BootContext,
  ) {
    this.id = item.id;
  }

  get text(): ByteString {
    return this.item.text(this.#context());
  }

  resolve(edited?: ByteString) {
    return targetOf(this.item, edited, this.#context());
  }

  #context(): BootContext {
    const budget = this.ctx.budget.child('entry', `entry '${printable(this.title, 60)}'`);
    return { ...this.ctx, budget };
  }
}
