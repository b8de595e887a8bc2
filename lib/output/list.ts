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

/** Characters of a list that are put out together. */
const PORTION = 1 << 16;

/** Text to bytes, in portions: a list of 20,000 entries is not held as a whole. */
function* portions(texts: Iterable<string>, encode: (text: string) => Buffer): Generator<Buffer> {
  let portion = '';
  for (const text of texts) {
    portion += text;
    if (portion.length < PORTION) continue;
    yield encode(portion);
    portion = '';
  }
  yield encode(portion);
}

/** pygrub's five lines an entry. Bytes are kept, control characters are not shown: a list goes to terminals. */
export function listAsText(listing: Listing): Iterable<Buffer> {
  return portions(linesOf(listing), toBytes);
}

function* linesOf(listing: Listing): Generator<ByteString> {
  const line = (text: ByteString) => text.replace(/[\x00-\x1f\x7f]/g, '?');
  for (const { choice, target } of listing.entries) {
    yield `title: ${line(choice.entry.title)}\n`;
    yield `  root: ${line(target.root === '' ? '' : `(${target.root})`)}\n`;
    yield `  kernel: ${target.kernel ? line(shownPath(target.kernel, target.root)) : 'None'}\n`;
    yield `  args: ${line(target.args)}\n`;
    yield `  initrd: ${target.initrds.length > 0 ? line(initrdPaths(target).join(' ')) : 'None'}\n`;
  }
}

/** @param image the disk, as the caller named it */
export function listAsJson(
  image: string,
  listing: Listing | undefined,
  warnings: readonly string[],
): Iterable<Buffer> {
  return portions(jsonOf(image, listing, warnings), (text) => Buffer.from(text));
}

function* jsonOf(
  image: string,
  listing: Listing | undefined,
  warnings: readonly string[],
): Generator<string> {
  const u = (text: ByteString | undefined) => (text === undefined ? null : toUnicode(text));
  const { config, dialect, menu, entries = [] } = listing ?? {};
  const object = (some: readonly object[]) => ({
    image,
    volume: config?.volume.name ?? null,
    filesystem: config?.fs.type ?? null,
    config: u(config?.path),
    dialect: dialect?.name ?? null,
    timeout: menu?.timeout ?? null,
    timeoutStyle: menu?.timeoutStyle ?? null,
    default: listing?.default ?? null,
    entries: some,
    console: u(menu?.console) ?? '',
    warnings,
  });
  // The entries one by one, in the place of none.
  const frame = JSON.stringify(object([]), null, 2);
  const none = '\n  "entries": []';
  const at = frame.indexOf(none) + none.length - 1;
  yield frame.slice(0, at);
  for (const [index, { choice, target }] of entries.entries()) {
    const entry = {
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
    };
    const text = JSON.stringify(entry, null, 2).replaceAll('\n', '\n    ');
    yield `${index > 0 ? ',' : ''}\n    ${text}`;
  }
  yield `${entries.length > 0 ? '\n  ' : ''}${frame.slice(at)}\n`;
}
