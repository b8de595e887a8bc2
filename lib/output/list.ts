/** `-l`: pygrub's text, or one JSON object whose schema is docs/list.schema.json. */

import type { BootTarget, GuestFile } from '../boot/model';
import type { Listing } from '../bootloader';
import { type ByteString, toBytes, toUnicode } from '../bytes/text';

/** The guest's path, with its device in front when it is not on the entry's `root`. */
function shownPath(file: GuestFile, root: ByteString): ByteString {
  if (!file.volume || file.volume.name === root) return file.path;
  return `(${file.volume.name})${file.path}`;
}

function initrdPaths(target: BootTarget): ByteString[] {
  return target.initrds.map((part) => {
    const path = shownPath(part.file, target.root);
    return part.newcName === undefined ? path : `newc:${part.newcName}:${path}`;
  });
}

/** pygrub's five lines an entry. Bytes are kept, control characters are not shown: a list goes to terminals. */
export function listAsText(listing: Listing): Buffer {
  const line = (text: ByteString) => text.replace(/[\x00-\x1f\x7f]/g, '?');
  let out = '';
  for (const { choice, target } of listing.entries) {
    out += `title: ${line(choice.entry.title)}\n`;
    out += `  root: ${line(target.root === '' ? '' : `(${target.root})`)}\n`;
    out += `  kernel: ${target.kernel ? line(shownPath(target.kernel, target.root)) : 'None'}\n`;
    out += `  args: ${line(target.args)}\n`;
    out += `  initrd: ${target.initrds.length > 0 ? line(initrdPaths(target).join(' ')) : 'None'}\n`;
  }
  return toBytes(out);
}

/** @param image the disk, as the caller named it */
export function listAsJson(image: string, listing: Listing | undefined, warnings: readonly string[]): Buffer {
  const u = (text: ByteString | undefined) => (text === undefined ? null : toUnicode(text));
  const { config, dialect, menu } = listing ?? {};
  const object = {
    image,
    volume: config?.volume.name ?? null,
    filesystem: config?.fs.type ?? null,
    config: u(config?.path),
    dialect: dialect?.name ?? null,
    timeout: menu?.timeout ?? null,
    timeoutStyle: menu?.timeoutStyle ?? null,
    default: listing?.default ?? null,
    entries: (listing?.entries ?? []).map(({ choice, target }, index) => ({
      index,
      path: choice.path.join('>'),
      title: u(choice.entry.title),
      titles: choice.titles.map(u),
      id: u(choice.entry.id),
      root: u(target.root),
      kernel: target.kernel ? u(shownPath(target.kernel, target.root)) : null,
      initrd: initrdPaths(target).map(u),
      args: u(target.args),
      problem: target.problem,
    })),
    console: u(menu?.console) ?? '',
    warnings,
  };
  return Buffer.from(`${JSON.stringify(object, null, 2)}\n`);
}
