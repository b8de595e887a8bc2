/**
 * Unified kernel images: which sections of a PE image belong together.
 * Source: uapi-group.org/specifications/specs/unified_kernel_image ("Multi-Profile UKIs").
 */
import { notFound } from '../bytes/errors';
import type { PeImage, PeSection } from './pe';

/** systemd's bound of profiles in one image (UNIFIED_PROFILES_MAX). */
export const MAX_PROFILES = 256;

type ByName = ReadonlyMap<string, readonly PeSection[]>;

/** The sections that one profile sees, by name; several of a name in the table's order. */
export class UkiSections {
  readonly #own: ByName;
  readonly #base: ByName | undefined;

  /** @param base what holds for the names that `own` lacks */
  constructor(own: ByName, base?: ByName) {
    this.#own = own;
    this.#base = base;
  }

  first(name: string): PeSection | undefined {
    return this.all(name)[0];
  }

  all(name: string): readonly PeSection[] {
    return this.#own.get(name) ?? this.#base?.get(name) ?? [];
  }
}

/** The table in pieces: what stands before the first `.profile`, and from each `.profile` to before the next. */
function pieces(image: PeImage): PeSection[][] {
  const result: PeSection[][] = [[]];
  for (const section of image.sections) {
    if (section.name === '.profile') result.push([]);
    if (section.memorySize > 0) result[result.length - 1]!.push(section);
  }
  return result;
}

function byName(sections: readonly PeSection[]): Map<string, PeSection[]> {
  const map = new Map<string, PeSection[]>();
  for (const section of sections) {
    const list = map.get(section.name);
    if (list) list.push(section);
    else map.set(section.name, [section]);
  }
  return map;
}

/** How many profiles the image offers, at least one: an image without `.profile` has profile 0 alone. */
export function profileCount(image: PeImage): number {
  const marks = image.sections.filter((section) => section.name === '.profile').length;
  return Math.min(Math.max(marks, 1), MAX_PROFILES);
}

/** All of the table, profiles or not: how add-ons are read. */
export const allSections = (image: PeImage): UkiSections =>
  new UkiSections(byName(image.sections.filter((section) => section.memorySize > 0)));

/** The sections of several profiles, the table being looked through once. */
export class Profiles {
  readonly #base: ByName;
  readonly #own: readonly PeSection[][];

  constructor(image: PeImage) {
    const [base, ...own] = pieces(image);
    this.#base = byName(base!);
    this.#own = own;
  }

  /**
   * A profile's own sections, and those of the base that it has none of the same name of.
   * @throws GuestError `not-found` when there is no such profile; profile 0 always exists
   */
  sections(profile: number): UkiSections {
    const own = this.#own[profile];
    if (own) return new UkiSections(byName(own), this.#base);
    if (profile === 0) return new UkiSections(this.#base);
    throw notFound(`there is no profile ${profile}, only ${this.#own.length}`);
  }
}
