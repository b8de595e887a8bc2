/** yaboot.conf: LILO's language on PowerPC, as far as its files are on disks known here. */
import { type ByteString, printable } from '../../bytes/text';
import { baseName, type Loads, parseConfig, positionOf, sectionEntry, setting, tenths } from '../lilo/entry';
import type { Rules, Section, Settings } from '../lilo/parser';
import type { BootContext, BootMenu, ConfigFile, GuestFile } from '../model';
import { SystemFiles } from '../system';

const RULES: Rules = {
  sections: new Set(['image']),
  flags: new Set(
    'brokenosx enablecdboot enablenetboot enableofboot hide nonvram novideo protect pause-after read-only read-write usemount'.split(
      ' ',
    ),
  ),
  globals: new Set(['boot', 'default', 'timeout', 'init-message', 'message', 'delay', 'defaultos']),
};

export function evaluate(config: ConfigFile, ctx: BootContext): BootMenu {
  const { globals, sections, warnings: parsed } = parseConfig(config, RULES, ctx);
  const warnings = [...parsed];
  const files = new SystemFiles(ctx.guest, config.volume, ctx);
  const names = sections.map(({ settings, value }) => [
    settings.get('label') ?? baseName(value),
    ...(settings.has('alias') ? [settings.get('alias')!] : []),
  ]);
  const entries = sections.map((section, i) =>
    sectionEntry(
      {
        section,
        globals,
        title: names[i]![0]!,
        id: names[i]![0]!,
        rules: RULES,
        root: config.volume.name,
        loads: (given) => loads(given, globals, files),
      },
      ctx,
    ),
  );
  const wanted = globals.get('default');
  const position = wanted === undefined ? 0 : positionOf(names, wanted);
  if (wanted !== undefined && position < 0 && entries.length > 0)
    warnings.push(`the default '${printable(wanted)}' does not exist, the first entry is taken`);
  const limit = globals.get('timeout');
  return {
    entries,
    default: [Math.max(position, 0)],
    fallback: [],
    timeout: limit === undefined ? 0 : tenths(limit),
    timeoutStyle: 'menu',
    console: '',
    warnings,
  };
}

/** `[DEVICE:][PARTITION,]/path`: the partition is one of the first disk, a device of the firmware is not known here. */
function find(name: ByteString, partition: ByteString | undefined, files: SystemFiles): GuestFile {
  const parts = /^(?:[^,]*?:)?(\d*),?(\/[\s\S]*)$/.exec(name);
  if (!parts)
    return { volume: files.volume, path: name, problem: `${printable(name)}: not a file on a disk` };
  const number = parts[1] !== '' ? parts[1]! : (partition ?? '');
  const path = parts[2]!;
  if (/^\d+$/.test(number)) {
    const there = files.guest.file(`(${files.volume.disk},${number})${path}`, files.volume);
    if (there.found) return there;
  }
  return files.file(path);
}

/** What yaboot gives the kernel (yaboot.conf(5)). */
function loads(section: Section, globals: Settings, files: SystemFiles): Loads {
  const value = (key: string) => setting(section, globals, key) ?? '';
  const flag = (key: string) => section.settings.has(key) || globals.has(key);
  const partition = setting(section, globals, 'partition');
  const literal = setting(section, globals, 'literal');
  const named = (key: string, word: string) => (value(key) === '' ? '' : `${word}=${value(key)}`);
  const words = [
    named('root', 'root'),
    flag('read-only') ? 'ro' : '',
    flag('read-write') ? 'rw' : '',
    named('ramdisk', 'ramdisk'),
    named('initrd-size', 'ramdisk_size'),
    flag('novideo') ? 'video=ofonly' : '',
    value('append'),
  ];
  const initrd = value('initrd');
  return {
    kernel: find(section.value, partition, files),
    initrds: initrd === '' ? [] : [find(initrd, partition, files)],
    args: literal ?? words.filter((word) => word !== '').join(' '),
    notes: [],
  };
}
