/**
 * `.treeinfo`: an INI file that says what a tree of Red Hat's or SUSE's holds. Source: productmd's description of the format
 * (versions 0 and 1): [general], [tree], [images-ARCH], [images-xen], [checksums].
 */
import type { Context } from '../bytes/budget';
import { type Checksum, checksum } from './sums';
import { safePath, type Tree } from './tree';

export type Sections = ReadonlyMap<string, ReadonlyMap<string, string>>;

/** Python's configparser: `[section]`, `key = value` or `key: value`, keys without regard to case, `#` and `;` begin comments. */
export function parseIni(text: string, ctx: Context): Sections {
  const sections = new Map<string, Map<string, string>>();
  let section: Map<string, string> | undefined;
  for (const raw of text.replace(/^\xef\xbb\xbf/, '').split('\n')) {
    ctx.budget.step();
    const line = raw.trimEnd();
    const head = /^\[([^\]]*)\]/.exec(line)?.[1];
    if (head !== undefined) {
      section = sections.get(head) ?? new Map();
      sections.set(head, section);
      continue;
    }
    // The first `=`, or `:` where it comes first, ends the key; indented lines go on with a value that nobody asks for.
    const pair = /^([^\s#;=:][^=:]*)[=:](.*)$/.exec(line);
    if (pair && section) section.set(pair[1]!.trim().toLowerCase(), pair[2]!.trim());
  }
  return sections;
}

export interface TreeInfo {
  readonly family: string;
  readonly name: string;
  /** `40`, `9.4` …; empty where it is not said. */
  readonly version: string;
  readonly kernel: string;
  readonly ramdisk: string | undefined;
  sum(path: string): Checksum | undefined;
}

/**
 * What the tree's own `.treeinfo` says; undefined where there is none with a kernel in it.
 * @throws GuestError `corrupt` for paths that lead out of the tree
 */
export async function treeInfo(tree: Tree): Promise<TreeInfo | undefined> {
  for (const file of ['.treeinfo', 'treeinfo']) {
    const text = await tree.text(file);
    if (text === undefined) continue;
    const sections = parseIni(text, tree.ctx);
    const value = (section: string, key: string): string => sections.get(section)?.get(key) ?? '';
    const arch = value('general', 'arch') || value('tree', 'arch');
    // Xen's own image first, then the tree's.
    const images = ['images-xen', `images-${arch}`].find((name) => value(name, 'kernel') !== '');
    if (!images) continue;
    const initrd = value(images, 'initrd');
    return {
      family: value('general', 'family') || value('release', 'name'),
      name: value('general', 'name') || value('release', 'name'),
      version: value('general', 'version') || value('release', 'version'),
      kernel: safePath(value(images, 'kernel'), file),
      ramdisk: initrd === '' ? undefined : safePath(initrd, file),
      sum(path) {
        const said = sections.get('checksums');
        // configparser's keys are in lower case.
        const found = said?.get(path.toLowerCase()) ?? said?.get(`./${path.toLowerCase()}`);
        const [algorithm, hex] = found?.split(':') ?? [];
        return hex === undefined ? undefined : checksum(hex.trim(), file, algorithm!.trim());
      },
    };
  }
  return undefined;
}
