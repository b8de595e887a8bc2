/** elilo.conf: LILO's language on an EFI system partition. */
import { type ByteString, printable } from '../../bytes/text';
import { type Loads, parseConfig, sectionEntry, sectionMenu, setting } from '../lilo/entry';
import type { Rules, Section, Settings } from '../lilo/parser';
import type { BootContext, BootMenu, ConfigFile, GuestFile } from '../model';
import { SystemFiles } from '../system';

const RULES: Rules = {
  sections: new Set(['image']),
  flags: new Set(['checkalt', 'debug', 'noedd30', 'prompt', 'read-only', 'relocatable']),
  globals: new Set(['chooser', 'default', 'delay', 'message', 'prompt', 'timeout', 'verbose']),
};

export function evaluate(config: ConfigFile, ctx: BootContext): BootMenu {
  const { globals, sections, warnings: parsed } = parseConfig(config, RULES, ctx);
  const warnings = [...parsed];
  const files = new SystemFiles(ctx.guest, config.volume, ctx);
  const labels = sections.map((section) => section.settings.get('label') ?? section.value);
  const entries = sections.map((section, i) =>
    sectionEntry(
      {
        section,
        globals,
        title: labels[i]!,
        id: labels[i]!,
        rules: RULES,
        root: config.volume.name,
        loads: (given) => loads(given, globals, (path) => find(path, config.path, files)),
      },
      ctx,
    ),
  );
  const names = labels.map((label) => [label]);
  return sectionMenu(entries, names, globals.get('default'), globals, warnings);
}

/**
 * A file beside the configuration, or from the top of its partition. Seen from the running system (/etc/elilo.conf, or an
 * ESP that is a directory of a larger filesystem) the partition is where /EFI is.
 */
function find(name: ByteString, configPath: ByteString, files: SystemFiles): GuestFile {
  // EFI's own notation: `\` parts names, `dev001:` is a device of the firmware.
  const path = name.replace(/^[A-Za-z]+\d*:(?=[\\/])/, '').replaceAll('\\', '/');
  const directory = configPath.slice(0, configPath.lastIndexOf('/') + 1);
  if (!path.startsWith('/'))
    return files.file(configPath.startsWith('/etc/') ? `/${path}` : directory + path);
  const above = /^(\/[\s\S]*)\/efi\//i.exec(configPath)?.[1];
  const inside = above === undefined ? undefined : files.file(above + path);
  return inside?.found ? inside : files.file(path);
}

/** What ELILO gives the kernel (config.c, find_label): `root=`, `append`, `ro`; or `literal` alone. */
function loads(section: Section, globals: Settings, file: (path: ByteString) => GuestFile): Loads {
  const notes: string[] = [];
  const value = (key: string) => setting(section, globals, key) ?? '';
  const hypervisor = value('vmm');
  const literal = section.settings.get('literal');
  let args = value('append');
  if (hypervisor !== '') {
    notes.push(`the hypervisor ${printable(hypervisor)} is left out`);
    // What stands before `--` is the hypervisor's; without one ELILO puts it at the end.
    args = afterDashes(literal ?? args);
  } else if (literal !== undefined) args = literal;
  if (literal === undefined) {
    const root = value('root');
    const readOnly = section.settings.has('read-only') || globals.has('read-only');
    args = [root === '' ? '' : `root=${root}`, args, readOnly ? 'ro' : '']
      .filter((word) => word !== '')
      .join(' ');
  }
  const initrd = value('initrd');
  return { kernel: file(section.value), initrds: initrd === '' ? [] : [file(initrd)], args, notes };
}

function afterDashes(args: ByteString): ByteString {
  const at = args.indexOf('--');
  return at < 0 ? '' : args.slice(at + 2).replace(/^ +/, '');
}
