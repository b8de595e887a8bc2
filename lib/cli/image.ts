/** `--image-…`: what the caller says of the disks' formats. A chunk: most say nothing. */
import { unsupported } from '../bytes/errors';
import { LIMITS, type Limits } from '../bytes/limits';
import { fromHost, printable } from '../bytes/text';
import { formatNamed, formats, type ImageChoice } from '../source';
import type { FileSource } from '../source/file';
import { type MakeFile, openReferences } from '../source/references';
import type { BlockSource } from '../source/types';
import type { Options } from './options';

/** By option, without `image-`. The last one of a kind counts. */
export type ImageOptions = Readonly<Record<string, string>>;

const say = (text: string): string => printable(fromHost(text), 60);

/** One choice for each disk: a list of formats goes with the disks, its last one with those that follow. */
function choices(options: ImageOptions, disks: number): ImageChoice[] {
  const { format, snapshot, references = 'none' } = options;
  if (references !== 'none' && references !== 'directory')
    throw unsupported(`--image-references=${say(references)}: none or directory`);
  if (references === 'directory' && format === undefined)
    throw unsupported(
      '--image-references=directory needs --image-format: a guest could have written the names',
    );
  const names = format?.split(',').map((name) => {
    const known = name === 'auto' ? 'auto' : formatNamed(name);
    if (known === undefined)
      throw unsupported(
        `unknown image format '${say(name)}': auto, raw, ${formats.map((f) => f.name).join(', ')}`,
      );
    return known;
  });
  if (names && names.length > disks)
    throw unsupported(`--image-format names ${names.length} formats, there are ${disks} disks`);
  return Array.from({ length: disks }, (_, i) => {
    const name = names?.[Math.min(i, names.length - 1)];
    return {
      format: name === 'auto' ? undefined : name,
      snapshot: snapshot === undefined ? undefined : fromHost(snapshot),
    };
  });
}

/**
 * Opens what the images name, if that is allowed; while the program is root.
 * @throws GuestError also for what cannot be meant
 */
export function prepareImages(
  options: Options,
  disks: readonly BlockSource[],
  File: MakeFile,
  limits: Limits = LIMITS,
): ImageChoice[] {
  const image = options.image!;
  return choices(image, disks.length).map((choice, i) => {
    const { format } = choice;
    if (image.references !== 'directory' || format === undefined) return choice;
    if (!(disks[i] instanceof File))
      throw unsupported(
        '--image-references=directory: an image behind a URI has no directory',
        disks[i]!.label,
      );
    const members = openReferences(options.operands[i]!, disks[i] as FileSource, format, File, limits);
    return { ...choice, members };
  });
}
