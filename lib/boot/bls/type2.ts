/** Type #2 entries: the unified kernel images of /EFI/Linux, an entry a profile. */
import { corrupt, GuestError } from '../../bytes/errors';
import { type ByteString, fromBytes, printable } from '../../bytes/text';
import { type PeImage, readPe } from '../../kernel/pe';
import { Profiles, profileCount, type UkiSections } from '../../kernel/uki';
import type { BootContext } from '../model';
import { parseBlsEntry } from './entry';
import { listFiles } from './files';
import { type Item, lower, type Place, parseCounter, type Recipe } from './item';
import { keyValues } from './lines';
import { fits } from './machine';
import { recipeOf } from './type1';

const SUFFIX = '.efi';
/** Bytes of a section that is read as text; Linux' own bound of a command line is 2048 on x86. */
export const MAX_TEXT = 64 * 1024;

/** Adds the entries of one place to `into`. What cannot be read is told by `warn`. */
export function readType2(
  place: Place,
  ctx: BootContext,
  into: Item[],
  warn: (message: string) => void,
): void {
  const directory = `${place.prefix}/EFI/Linux`;
  for (const { name, node } of listFiles(place, directory, SUFFIX, ctx, warn)) {
    if (lower(name).startsWith('auto-')) continue;
    const path = `${directory}/${name}`;
    try {
      const image = readPe(place.fs, node, printable(path), ctx);
      if (!image) throw corrupt('is not a PE image');
      const profiles = new Profiles(image);
      const count = profileCount(image);
      for (let profile = 0; profile < count; profile++)
        into.push(
          profileEntry(place, path, name, image, profiles.sections(profile), profile, count > 1, ctx),
        );
    } catch (error) {
      if (!(error instanceof GuestError)) throw error;
      warn(`${printable(path)}: ${error.describe()}, it is left out`);
      if (ctx.budget.over) return;
    }
  }
}

function section(
  image: PeImage,
  sections: UkiSections,
  name: string,
  ctx: BootContext,
): ByteString | undefined {
  const found = sections.first(name);
  return found && fromBytes(image.read(found, MAX_TEXT, ctx));
}

function fieldsOf(text: ByteString | undefined, ctx: BootContext): Map<ByteString, ByteString> {
  return new Map(text === undefined ? [] : keyValues(text, '=', ctx));
}

/** The kernel's command line in an image: up to a NUL, control characters as blanks, none at its ends (systemd-stub). */
export function embeddedCommandLine(image: PeImage, sections: UkiSections, ctx: BootContext): ByteString {
  return tidy(section(image, sections, '.cmdline', ctx) ?? '');
}

/** As systemd-stub cleans every command line. */
export function tidy(line: ByteString): ByteString {
  const nul = line.indexOf('\0');
  const text = (nul < 0 ? line : line.slice(0, nul)).replace(/[\x01-\x1f\x7f]/g, ' ');
  let from = 0;
  let to = text.length;
  while (from < to && text[from] === ' ') from++;
  while (to > from && text[to - 1] === ' ') to--;
  return text.slice(from, to);
}

function profileEntry(
  place: Place,
  path: ByteString,
  fileName: ByteString,
  image: PeImage,
  sections: UkiSections,
  profile: number,
  several: boolean,
  ctx: BootContext,
): Item {
  const os = fieldsOf(section(image, sections, '.osrel', ctx), ctx);
  const own = fieldsOf(section(image, sections, '.profile', ctx), ctx);
  const { id, left, done } = parseCounter(fileName, SUFFIX);
  // os-release(5) fields in systemd's order of preference.
  const name = os.get('PRETTY_NAME') ?? os.get('IMAGE_ID') ?? os.get('NAME') ?? os.get('ID');
  const version = os.get('IMAGE_VERSION') ?? os.get('VERSION') ?? os.get('VERSION_ID') ?? os.get('BUILD_ID');
  const profileId = own.get('ID');
  let title = name ?? id;
  const detail = own.get('TITLE') ?? (profile > 0 ? (profileId ?? `Profile #${profile + 1}`) : undefined);
  if (detail !== undefined) title = `${title} (${detail})`;
  const source = (entryCtx: BootContext): ByteString => {
    const lines = [`title ${title}`, `uki ${path}`];
    if (profile > 0) lines.push(`profile ${profile}`);
    const options = embeddedCommandLine(image, sections, entryCtx);
    if (options !== '') lines.push(`options ${options}`);
    return `${lines.join('\n')}\n`;
  };
  const recipe: Recipe = {
    kind: 'uki',
    path,
    initrds: [],
    options: undefined,
    profile,
    architecture: undefined,
    leftOut: [],
  };
  return {
    place,
    id: profile > 0 ? `${id}@${profileId ?? profile}` : id,
    fileName,
    title,
    version,
    machineId: undefined,
    sortKey: os.get('IMAGE_ID') ?? os.get('ID'),
    idWithoutProfile: several ? id : undefined,
    profile,
    triesLeft: left,
    triesDone: done,
    shown: name !== undefined && sections.first('.linux') !== undefined && fits(image.machine) === 'native',
    /** Written as the entry that would boot the same; its `options` replace those in the image, as systemd-stub's do. */
    text(entryCtx) {
      try {
        return source(entryCtx);
      } catch (error) {
        if (!(error instanceof GuestError)) throw error;
        return `title ${title}\nuki ${path}\n`;
      }
    },
    recipe: (edited, entryCtx) =>
      edited === undefined ? recipe : recipeOf(parseBlsEntry(id, edited, 'specification', entryCtx)),
  };
}
