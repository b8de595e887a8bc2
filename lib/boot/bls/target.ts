/** From an entry to what it boots. */
import { GuestError } from '../../bytes/errors';
import { type ByteString, printable } from '../../bytes/text';
import { readPe } from '../../kernel/pe';
import type { BootContext, BootTarget, GuestFile, InitrdPart } from '../model';
import { locate } from './files';
import type { Item, Recipe } from './item';
import { fits, hostMachine } from './machine';
import { bootImage } from './stub';
import { tidy } from './type2';

/** Never throws a GuestError. */
export function targetOf(item: Item, edited: ByteString | undefined, ctx: BootContext): BootTarget {
  const notes: string[] = [];
  const root = item.place.volume.name;
  const failed = (problem: string, kernel?: GuestFile, args: ByteString = ''): BootTarget => ({
    kernel,
    initrds: [],
    args,
    root,
    problem,
    notes,
  });
  try {
    const recipe = item.recipe(edited, ctx);
    if ('problem' in recipe) return failed(recipe.problem);
    if (item.triesLeft !== undefined)
      notes.push(
        `boot counting: ${item.triesLeft === 0 ? 'it has no tries left' : `${item.triesLeft} tries are left`}; nothing is written, they are not counted down`,
      );
    for (const key of recipe.leftOut) notes.push(`${printable(key)}: left out`);
    if (recipe.kind === 'uki-url')
      return failed(`starts ${printable(recipe.path)} from the network: cannot be booted here (uki-url)`);
    const file = locate(item.place, recipe.path, ctx, true);
    const initrds = recipe.initrds.map((path): InitrdPart => ({ file: locate(item.place, path, ctx) }));
    const asIs = { kernel: file, initrds, args: recipe.options ?? '', root, notes };
    const foreign = foreignMachine(recipe.architecture);
    if (file.problem !== undefined) return { ...asIs, problem: file.problem };
    if (foreign !== undefined) return { ...asIs, problem: foreign };
    const missing =
      recipe.kind === 'linux' ? initrds.find((part) => part.file.problem !== undefined) : undefined;
    if (missing) return { ...asIs, problem: `initrd ${missing.file.problem}` };
    return imageTarget(item, recipe, asIs, file, ctx);
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    return failed(error.describe());
  }
}

function foreignMachine(machine: ByteString | undefined): string | undefined {
  if (machine === undefined || fits(machine) !== 'foreign') return undefined;
  return `is for the architecture ${printable(machine)}, this machine is ${hostMachine()}`;
}

/** @throws GuestError */
function imageTarget(
  item: Item,
  recipe: Recipe,
  asIs: Omit<BootTarget, 'problem'>,
  file: GuestFile,
  ctx: BootContext,
): BootTarget {
  const { fs, node } = file.found!;
  const label = printable(file.path);
  let image: ReturnType<typeof readPe>;
  try {
    image = readPe(fs, node, label, ctx);
  } catch (error) {
    // A kernel need not be a sound PE image for those who load it otherwise.
    if (recipe.kind !== 'linux' || !(error instanceof GuestError)) throw error;
  }
  const foreign = image && foreignMachine(image.machine);
  const unified = image?.sections.some(({ name, memorySize }) => name === '.linux' && memorySize > 0);
  if (!image || !unified) {
    if (recipe.kind === 'linux') return { ...asIs, problem: null };
    const what = recipe.kind === 'uki' ? 'is no unified kernel image' : 'cannot be booted here';
    return { ...asIs, initrds: [], problem: `starts ${label.replace(/^\//, '')}: ${what} (${recipe.kind})` };
  }
  if (foreign !== undefined) return { ...asIs, problem: foreign };
  const previous = recipe.kind === 'linux' ? asIs.initrds : [];
  const options = recipe.options === undefined ? undefined : tidy(recipe.options);
  const cut = bootImage(item.place, file, image, recipe.profile, options, previous, ctx);
  return { ...asIs, ...cut, notes: [...asIs.notes, ...cut.notes], problem: null };
}
