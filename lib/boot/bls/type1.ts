/** Type #1 entries: the files of /loader/entries. */
import { GuestError } from '../../bytes/errors';
import { type ByteString, fromBytes, printable } from '../../bytes/text';
import { readWhole } from '../../fs/file';
import type { BootContext } from '../model';
import { allValues, type BlsEntry, lastValue, parseBlsEntry } from './entry';
import { listFiles, locate } from './files';
import { type Item, lower, type Place, parseCounter, type Recipe } from './item';
import { fits } from './machine';

const SUFFIX = '.conf';
/** Keys that name what to start; an entry has exactly one of them. */
const KINDS = ['linux', 'efi', 'uki', 'uki-url'] as const;
const LEFT_OUT = ['devicetree', 'devicetree-overlay', 'extra'];

/** Adds the entries of one place to `into`, in the order of their names. What cannot be read is told by `warn`. */
export function readType1(
  place: Place,
  ctx: BootContext,
  into: Item[],
  warn: (message: string) => void,
): void {
  const directory = `${place.prefix}/loader/entries`;
  for (const { name, node } of listFiles(place, directory, SUFFIX, ctx, warn)) {
    // Those names are systemd-boot's own.
    if (lower(name).startsWith('auto-')) continue;
    const path = `${directory}/${name}`;
    try {
      const text = fromBytes(readWhole(place.fs, node, 'smallFileBytes', ctx));
      const { id, left, done } = parseCounter(name, SUFFIX);
      const entry = parseBlsEntry(id, text, 'specification', ctx);
      const recipe = recipeOf(entry);
      if ('problem' in recipe) {
        warn(`${printable(path)}: ${recipe.problem}, it is left out`);
        continue;
      }
      const native = recipe.architecture === undefined || fits(recipe.architecture) === 'native';
      const there = recipe.kind !== 'uki-url' && locate(place, recipe.path, ctx).problem === undefined;
      into.push({
        place,
        id,
        fileName: name,
        title: lastValue(entry, 'title'),
        version: lastValue(entry, 'version'),
        machineId: lastValue(entry, 'machine-id'),
        sortKey: lastValue(entry, 'sort-key'),
        idWithoutProfile: undefined,
        profile: 0,
        triesLeft: left,
        triesDone: done,
        shown: native && there,
        text: () => text,
        recipe: (edited, entryCtx) =>
          edited === undefined ? recipe : recipeOf(parseBlsEntry(id, edited, 'specification', entryCtx)),
      });
    } catch (error) {
      if (!(error instanceof GuestError)) throw error;
      warn(`${printable(path)}: ${error.describe()}, it is left out`);
      if (ctx.budget.over) return;
    }
  }
}

/** What an entry's text says. */
export function recipeOf(entry: BlsEntry): Recipe | { readonly problem: string } {
  const kinds = KINDS.filter((kind) => lastValue(entry, kind) !== undefined);
  const [kind] = kinds;
  if (kind === undefined) return { problem: 'it names no kernel (linux, uki or efi)' };
  if (kinds.length > 1)
    return { problem: `it has the keys ${kinds.join(' and ')}, of which only one may be` };
  const options = allValues(entry, 'options');
  const profile = lastValue(entry, 'profile');
  return {
    kind,
    path: lastValue(entry, kind)!,
    initrds: allValues(entry, 'initrd'),
    options: options.length > 0 ? options.join(' ') : undefined,
    profile: profile !== undefined && /^\d{1,5}$/.test(profile) ? Number(profile) : 0,
    architecture: lastValue(entry, 'architecture'),
    leftOut: LEFT_OUT.flatMap((key): ByteString[] => allValues(entry, key).map((value) => `${key} ${value}`)),
  };
}
