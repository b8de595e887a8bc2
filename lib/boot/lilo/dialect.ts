/** lilo.conf: what LILO's boot map would hold had it been made from the files as they are now. */
import { type ByteString, printable } from '../../bytes/text';
import type { BootContext, BootMenu, ConfigFile, MenuEntry, Password } from '../model';
import { SystemFiles } from '../system';
import { baseName, type Loads, parseConfig, sectionEntry, sectionMenu, setting } from './entry';
import type { Rules, Section, Settings } from './parser';

const words = (text: string): ReadonlySet<string> => new Set(text.split(' '));

const RULES: Rules = {
  sections: words('image other'),
  flags: words(
    'activate automatic bmp-retain bypass change change-rules compact deactivate el-torito-bootable-cd fix-table ' +
      'geometric ignore-table inaccessible large-memory lba32 linear lock mandatory master-boot nokbdisable ' +
      'nodevcache noraid nowarn optional prompt read-only read-write reset restricted single-key small-memory ' +
      'static-bios-codes suppress-boot-time-bios-data unattended unsafe vmdisable vmwarn',
  ),
  globals: words('boot default delay install map menu-scheme menu-title message prompt timeout vmdefault'),
  variables: true,
};

export function evaluate(config: ConfigFile, ctx: BootContext): BootMenu {
  const { globals, sections: all, warnings: parsed } = parseConfig(config, RULES, ctx);
  const warnings = [...parsed];
  const files = new SystemFiles(ctx.guest, config.volume, ctx);
  const sections = all.filter((section) => !leftOut(section, globals, files));
  const names = sections.map((section) => {
    const alias = section.settings.get('alias');
    const label = section.settings.get('label') ?? baseName(section.value);
    return alias === undefined ? [label] : [label, alias];
  });

  let password: Password | undefined;
  const entries = sections.map((section, i): MenuEntry => {
    const label = names[i]![0]!;
    const lock = lockOf(section, globals);
    password ??= lock?.password;
    const entry = sectionEntry(
      {
        section,
        globals,
        title: label,
        id: label,
        rules: RULES,
        root: config.volume.name,
        loads: (given) => loads(given, globals, given.settings.get('label') ?? label, files),
      },
      ctx,
    );
    const key = [...names[i]!].find((name) => name.length === 1);
    const single = section.settings.has('single-key') || globals.has('single-key');
    return {
      ...entry,
      ...(single && key !== undefined ? { hotkey: key } : {}),
      ...(lock?.mandatory ? (lock.password ? { password: lock.password } : { users: [''] }) : {}),
    };
  });
  if (
    sections.some((section) => lockOf(section, globals)?.password === undefined && locked(section, globals))
  )
    warnings.push('a password is kept in a file of hashes, it cannot be compared here');

  const menu = sectionMenu(entries, names, defaultOf(globals), globals, warnings);
  return password ? { ...menu, passwords: new Map([['', password]]) } : menu;
}

/** A Xen guest is one of the virtual environments that `vmdefault` is for. */
const defaultOf = (globals: Settings): ByteString | undefined =>
  globals.get('vmdefault') ?? globals.get('default');

/** `optional`: LILO passes over a section whose files are not there. */
function leftOut(section: Section, globals: Settings, files: SystemFiles): boolean {
  if (!section.settings.has('optional') && !globals.has('optional')) return false;
  if (section.kind !== 'image') return false;
  const initrd = setting(section, globals, 'initrd');
  return [section.value, initrd ?? ''].some((path) => path !== '' && !files.file(absolute(path)).found);
}

/** LILO opens names as they are; it is run in `/` or with full paths. */
const absolute = (path: ByteString): ByteString => (path.startsWith('/') ? path : `/${path}`);

const locked = (section: Section, globals: Settings): boolean =>
  section.settings.has('password') || (globals.has('password') && !section.settings.has('bypass'));

/** `restricted`: only parameters typed at the prompt need the password. An empty one lies in a file of its own. */
function lockOf(
  section: Section,
  globals: Settings,
): { mandatory: boolean; password?: Password } | undefined {
  if (!locked(section, globals)) return undefined;
  const value = setting(section, globals, 'password')!;
  const restricted = section.settings.has('restricted') || globals.has('restricted');
  return {
    mandatory: !restricted || section.settings.has('mandatory'),
    ...(value === '' ? {} : { password: { scheme: 'plain', value } }),
  };
}

/** What the kernel is given, in the order in which LILO writes it (bsect.c). */
function loads(section: Section, globals: Settings, label: ByteString, files: SystemFiles): Loads {
  const { settings } = section;
  const notes: string[] = [];
  if (section.kind !== 'image') {
    const problem = `starts the boot sector of ${printable(section.value)}: another system, which cannot be booted here`;
    return { kernel: undefined, initrds: [], args: '', notes, problem };
  }
  const value = (key: string) => setting(section, globals, key);
  const flag = (key: string) => settings.has(key) || globals.has(key);
  let options: ByteString[] = [];
  // Both may stand there, one for all and one for the image; the kernel takes the last.
  if (flag('read-only')) options.push('ro');
  if (flag('read-write')) options.push('rw');
  const root = value('root');
  if (root !== undefined && root !== '') {
    const device = rootOf(root, files, notes);
    if (device !== undefined) options.push(`root=${device}`);
  }
  const ramdisk = value('ramdisk');
  if (ramdisk !== undefined) options.push(`ramdisk=${Number(ramdisk) || 0}`);
  const append = value('append');
  if (append) options.push(append);
  const addition = settings.get('addappend');
  if (addition) options.push(addition);
  const literal = settings.get('literal');
  if (literal !== undefined) options = [literal];
  if (flag('lock')) notes.push('lock is ignored: it would write to the disk');
  if (settings.has('fallback')) notes.push('fallback is ignored: it would change the next boot');
  if (settings.has('vmwarn')) notes.push('vmwarn: this image is not meant for a virtual machine');
  const initrd = value('initrd');
  const kernel = files.file(absolute(section.value));
  const problem = settings.has('range')
    ? `${printable(section.value)}: is read from raw sectors (range=), which cannot be booted here`
    : settings.has('vmdisable')
      ? 'vmdisable: is not to be booted in a virtual machine'
      : undefined;
  return {
    kernel,
    initrds: initrd ? [files.file(absolute(initrd))] : [],
    args: [`BOOT_IMAGE=${label}`, ...options].filter((word) => word !== '').join(' '),
    notes,
    ...(problem === undefined ? {} : { problem }),
  };
}

/** A device stays a name: see README. A number becomes the hexadecimal one that the kernel reads. */
function rootOf(root: ByteString, files: SystemFiles, notes: string[]): ByteString | undefined {
  if (root.toLowerCase() === 'current') {
    const spec = files.mounts.find((mount) => mount.point === '/')?.spec;
    notes.push(
      spec === undefined
        ? "root=current: /etc/fstab does not say what '/' is, root= is left out"
        : `root=current: ${printable(spec)} by /etc/fstab`,
    );
    return spec;
  }
  if (/^(?:0x[0-9a-f]{1,8}|\d{1,9})$/i.test(root)) return Number(root).toString(16);
  return root;
}
