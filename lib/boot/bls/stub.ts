/**
 * What systemd-stub, the program at the beginning of a unified kernel image, hands to the kernel: its sections, those
 * of add-ons beside it, credentials and extensions beside it. Source: systemd-stub(7), the UKI specification.
 */
import { corrupt, GuestError, notFound } from '../../bytes/errors';
import { type ByteString, fromBytes, printable } from '../../bytes/text';
import { FileParts } from '../../fs/part';
import { type PeImage, type PeSection, readPe } from '../../kernel/pe';
import { allSections, Profiles, type UkiSections } from '../../kernel/uki';
import type { BootContext, GuestFile, InitrdPart } from '../model';
import { listFiles } from './files';
import { lower, type Place, parseCounter } from './item';
import { fits } from './machine';
import { embeddedCommandLine, MAX_TEXT } from './type2';

export interface Cut {
  readonly kernel: GuestFile;
  readonly initrds: readonly InitrdPart[];
  readonly args: ByteString;
  readonly notes: readonly string[];
}

/** Sections of an image as files: no byte is copied, and the path is the image's own. */
class Cutter {
  readonly #parts: FileParts;
  readonly #taken: { from: number; to: number; name: string }[] = [];

  constructor(
    private readonly file: GuestFile,
    private readonly image: PeImage,
  ) {
    this.#parts = new FileParts(file.found!.fs, file.found!.node);
  }

  /** @throws GuestError `corrupt` for a section that is not in the file, or that shares bytes with one cut before */
  cut(section: PeSection): GuestFile {
    const { at, size } = this.image.range(section);
    for (const other of this.#taken)
      if (at < other.to && other.from < at + size)
        throw corrupt(`sections ${printable(other.name)} and ${printable(section.name)} overlap`);
    this.#taken.push({ from: at, to: at + size, name: section.name });
    return { ...this.file, found: { fs: this.#parts, node: this.#parts.part(at, size) } };
  }
}

/** A section beside `.initrd` that one image has several of; a bound for the comparison of each with each. */
const MAX_PIECES = 64;

/**
 * @param options the caller's, which replace those of the image; undefined or '': the image's own
 * @param previous what the boot loader loaded as initrds: they come before the image's own
 * @throws GuestError
 */
export function bootImage(
  place: Place,
  file: GuestFile,
  image: PeImage,
  profile: number,
  options: ByteString | undefined,
  previous: readonly InitrdPart[],
  ctx: BootContext,
): Cut {
  const notes: string[] = [];
  const sections = new Profiles(image).sections(profile);
  const cutter = new Cutter(file, image);
  const linux = sections.first('.linux');
  if (!linux) throw notFound(`${printable(file.path)} has no .linux section`);
  if (linux.size === 0) throw corrupt(`${printable(file.path)}: its .linux section is empty`);
  const kernel = cutter.cut(linux);

  const pieces = (name: string): InitrdPart[] =>
    sections
      .all(name)
      .slice(0, MAX_PIECES)
      .map((section) => ({ file: cutter.cut(section) }));
  const ucode = pieces('.ucode');
  const initrds = pieces('.initrd');
  if (initrds.length > 1)
    notes.push(
      `the image has ${initrds.length} .initrd sections, all are used (systemd-stub takes the first)`,
    );
  noteDeviceTrees(sections, 'the image', notes);

  const uname = sections.first('.uname');
  const addons = readAddons(
    place,
    file.path,
    uname && fromBytes(image.read(uname, MAX_TEXT, ctx)),
    ctx,
    notes,
  );
  const own = options ? options : embeddedCommandLine(image, sections, ctx);
  const args = [own, ...addons.map((addon) => addon.args)].filter((line) => line !== '').join(' ');
  return {
    kernel,
    initrds: [
      // The kernel takes the first microcode that it finds: the add-ons', the last of them first.
      ...addons.flatMap((addon) => addon.ucode).reverse(),
      ...ucode,
      ...previous,
      ...initrds,
      ...companions(place, file.path, ctx, notes),
      ...addons.flatMap((addon) => addon.initrds),
    ],
    args,
    notes,
  };
}

function noteDeviceTrees(sections: UkiSections, whose: string, notes: string[]): void {
  if (sections.first('.dtb') ?? sections.first('.dtbauto'))
    notes.push(`${whose} has device trees, they are left out`);
}

/** The directories of things beside an image: with its name as it is, and without a boot counter. */
function extraDirectories(path: ByteString): ByteString[] {
  const slash = path.lastIndexOf('/') + 1;
  const name = path.slice(slash);
  const plain = path.slice(0, slash) + parseCounter(name, '.efi').id;
  return [...new Set([path, plain])].map((image) => `${image}.extra.d`);
}

interface Addon {
  readonly args: ByteString;
  readonly ucode: readonly InitrdPart[];
  readonly initrds: readonly InitrdPart[];
}

/** Add-ons for all images first, then the image's own, each directory in the order of names. */
function readAddons(
  place: Place,
  path: ByteString,
  uname: ByteString | undefined,
  ctx: BootContext,
  notes: string[],
): Addon[] {
  const result: Addon[] = [];
  for (const directory of [`${place.prefix}/loader/addons`, ...extraDirectories(path)]) {
    const warn = (message: string) => void notes.push(`${printable(directory)}: ${message}`);
    for (const { name, node } of listFiles(place, directory, '.addon.efi', ctx, warn)) {
      const full = `${directory}/${name}`;
      const label = printable(full);
      try {
        const image = readPe(place.fs, node, label, ctx);
        if (!image) throw corrupt('is not a PE image');
        const sections = allSections(image);
        if (fits(image.machine) === 'foreign') throw corrupt(`is for the machine ${image.machine}`);
        if (sections.first('.linux')) throw corrupt('is an image with a kernel');
        const wanted = sections.first('.uname');
        if (uname !== undefined && wanted) {
          const has = fromBytes(image.read(wanted, MAX_TEXT, ctx));
          if (untilNul(has) !== untilNul(uname)) throw corrupt(`is for the kernel ${printable(has, 80)}`);
        }
        noteDeviceTrees(sections, label, notes);
        const cutter = new Cutter({ volume: place.volume, path: full, found: { fs: place.fs, node } }, image);
        const one = (section: string): InitrdPart[] => {
          const found = sections.first(section);
          return found ? [{ file: cutter.cut(found) }] : [];
        };
        result.push({
          args: embeddedCommandLine(image, sections, ctx),
          ucode: one('.ucode'),
          initrds: one('.initrd'),
        });
      } catch (error) {
        if (!(error instanceof GuestError)) throw error;
        notes.push(`add-on ${label}: ${error.describe()}, it is left out`);
      }
    }
  }
  return result;
}

const untilNul = (text: ByteString): ByteString => {
  const nul = text.indexOf('\0');
  return nul < 0 ? text : text.slice(0, nul);
};

/**
 * Credentials and extensions: files that systemd-stub packs into archives for the initrd to find under `/.extra`.
 * (Not so the image's own .osrel, .profile and .pcrsig sections: they are for measuring with a TPM.)
 */
function companions(place: Place, path: ByteString, ctx: BootContext, notes: string[]): InitrdPart[] {
  const own = extraDirectories(path);
  const extensions = [`${place.prefix}/loader/extensions`];
  const kinds: [directories: ByteString[], suffix: string, target: string][] = [
    [own, '.cred', 'credentials'],
    [[`${place.prefix}/loader/credentials`], '.cred', 'global_credentials'],
    [own, '.raw', 'sysext'],
    [extensions, '.raw', 'global_sysext'],
    [own, '.confext.raw', 'confext'],
    [extensions, '.confext.raw', 'global_confext'],
  ];
  const parts: InitrdPart[] = [];
  for (const [directories, suffix, target] of kinds) {
    for (const directory of directories) {
      const warn = (message: string) => void notes.push(`${printable(directory)}: ${message}`);
      for (const { name, node } of listFiles(place, directory, suffix, ctx, warn)) {
        // What is neither is taken for a system extension, as systemd-stub does.
        if (suffix === '.raw' && lower(name).endsWith('.confext.raw')) continue;
        // Only ASCII names: the archive's reader is told no encoding.
        if (/[^\x20-\x7e]/.test(name)) continue;
        parts.push({
          file: { volume: place.volume, path: `${directory}/${name}`, found: { fs: place.fs, node } },
          newcName: `.extra/${target}/${name}`,
        });
      }
    }
  }
  return parts;
}
