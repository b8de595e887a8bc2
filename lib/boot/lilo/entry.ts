/** Entries whose source is a section: shared by the dialects of lilo.conf's language. */
import { GuestError } from '../../bytes/errors';
import { type ByteString, fromBytes, printable } from '../../bytes/text';
import { readWhole } from '../../fs/file';
import { payload } from '../guest';
import type { BootContext, BootMenu, BootTarget, ConfigFile, GuestFile, MenuEntry } from '../model';
import { plainMenu } from '../plain';
import { trimBlanks } from '../words';
import { type Parsed, parseSections, type Rules, type Section, type Settings } from './parser';

/** What a section boots, by the rules of its dialect. */
export interface Loads {
  /** Undefined: `problem` says why this is no kernel. */
  readonly kernel: GuestFile | undefined;
  readonly initrds: readonly GuestFile[];
  readonly args: ByteString;
  readonly notes: readonly string[];
  readonly problem?: string;
}

export function readConfig(config: ConfigFile, ctx: BootContext): ByteString {
  return fromBytes(readWhole(config.fs, config.node, 'configBytes', ctx));
}

export function parseConfig(config: ConfigFile, rules: Rules, ctx: BootContext): Parsed {
  return parseSections(readConfig(config, ctx), rules, ctx.budget.child('evaluation', 'the configuration'));
}

/** A number of tenths of a second as seconds; nonsense is 0. */
export const tenths = (value: ByteString): number =>
  Math.min(Number.parseInt(value, 10) || 0, 0x7fffffff) / 10;

/** A setting of the section, else of the whole file. */
export const setting = (section: Section, globals: Settings, key: string): ByteString | undefined =>
  section.settings.get(key) ?? globals.get(key);

export interface SectionEntry {
  readonly section: Section;
  readonly globals: Settings;
  readonly title: ByteString;
  readonly id: ByteString;
  readonly rules: Rules;
  readonly root: ByteString;
  loads(section: Section): Loads;
}

export function sectionEntry(entry: SectionEntry, ctx: BootContext): MenuEntry {
  const failed = (problem: string): BootTarget => ({
    kernel: undefined,
    initrds: [],
    args: '',
    root: entry.root,
    problem,
    notes: [],
  });
  return {
    title: entry.title,
    id: entry.id,
    text: entry.section.text,
    resolve(edited) {
      try {
        if (edited === undefined) return target(entry, entry.section, []);
        const budget = ctx.budget.child('entry', `the entry '${printable(entry.title, 60)}'`);
        const { sections, warnings } = parseSections(edited, entry.rules, budget);
        return sections[0] ? target(entry, sections[0], warnings) : failed('names no kernel');
      } catch (error) {
        if (!(error instanceof GuestError)) throw error;
        return failed(error.describe());
      }
    },
  };
}

function target(entry: SectionEntry, section: Section, warnings: readonly string[]): BootTarget {
  const loads = entry.loads(section);
  const kernel = loads.kernel && payload(loads.kernel, true);
  const initrds = loads.initrds.map((file) => payload(file));
  const missing = [kernel, ...initrds].find((file) => file?.problem !== undefined);
  return {
    kernel,
    initrds: initrds.map((file) => ({ file })),
    args: trimBlanks(loads.args),
    root: entry.root,
    problem: loads.problem ?? missing?.problem ?? (kernel ? null : 'names no kernel'),
    notes: [...warnings, ...loads.notes],
  };
}

/** Position of the entry that has this name, as written or else without regard to case; -1 when none has. */
export function positionOf(names: readonly (readonly ByteString[])[], wanted: ByteString): number {
  const exact = names.findIndex((own) => own.includes(wanted));
  if (exact >= 0) return exact;
  const lower = wanted.toLowerCase();
  return names.findIndex((own) => own.some((name) => name.toLowerCase() === lower));
}

/** `/boot/vmlinuz-2.4` → `vmlinuz-2.4` */
export const baseName = (path: ByteString): ByteString => path.slice(path.lastIndexOf('/') + 1);

/**
 * The menu of an image file's language.
 * @param names of each entry: its label, aliases …
 * @param wanted the entry that boots by itself; undefined is the first
 */
export function sectionMenu(
  entries: readonly MenuEntry[],
  names: readonly (readonly ByteString[])[],
  wanted: ByteString | undefined,
  globals: Settings,
  warnings: readonly string[],
): BootMenu {
  const position = wanted === undefined ? 0 : positionOf(names, wanted);
  const absent = wanted !== undefined && position < 0 && entries.length > 0;
  const prompt = globals.has('prompt');
  const limit = globals.get('timeout');
  return plainMenu(entries, {
    default: [Math.max(position, 0)],
    // With a prompt it waits for ever unless `timeout` is set; without one it waits `delay` for a key.
    timeout: prompt ? (limit === undefined ? -1 : tenths(limit)) : tenths(globals.get('delay') ?? '0'),
    timeoutStyle: prompt ? 'menu' : 'hidden',
    warnings: absent
      ? [...warnings, `the default '${printable(wanted)}' does not exist, the first entry is taken`]
      : warnings,
  });
}
