/** `-l`: pygrub's text, or one JSON object whose schema is docs/list.schema.json. */

import type { Choice } from '../boot/choose';
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

const u = (text: ByteString | undefined) => (text === undefined ? null : toUnicode(text));

/** All of it but the entries. */
function frameOf(listing: Listing | undefined) {
  const { config, dialect, menu } = listing ?? {};
  return {
    volume: config?.volume.name ?? null,
    filesystem: config?.fs.type ?? null,
    config: u(config?.path),
    dialect: dialect?.name ?? null,
    timeout: menu?.timeout ?? null,
    timeoutStyle: menu?.timeoutStyle ?? null,
    default: listing?.default ?? null,
  };
}

/** One entry, its texts decoded. @param index its place in the list */
export function entryFacts(index: number, choice: Choice, target: BootTarget) {
  return {
    index,
    path: choice.path.join('>'),
    title: toUnicode(choice.entry.title),
    titles: choice.titles.map(toUnicode),
    id: toUnicode(choice.entry.id),
    root: toUnicode(target.root),
    kernel: target.kernel ? toUnicode(shownPath(target.kernel, target.root)) : null,
    initrd: initrdPaths(target).map(toUnicode),
    args: toUnicode(target.args),
    problem: target.problem,
  };
}

/** What `-l` says as JSON, as one object, without the name of the image. */
export const listAsObject = (listing: Listing | undefined, warnings: readonly string[]) => ({
  ...frameOf(listing),
  entries: (listing?.entries ?? []).map(({ choice, target }, i) => entryFacts(i, choice, target)),
  console: u(listing?.menu.console) ?? '',
  warnings,
});

function* jsonOf(
  image: string,
  listing: Listing | undefined,
  warnings: readonly string[],
): Generator<string> {
  const entries = listing?.entries ?? [];
  const console = u(listing?.menu.console) ?? '';
  // The entries one by one, in the place of none.
  const frame = JSON.stringify({ image, ...frameOf(listing), entries: [], console, warnings }, null, 2);
  const none = '\n  "entries": []';
  const at = frame.indexOf(none) + none.length - 1;
  yield frame.slice(0, at);
  for (const [index, { choice, target }] of entries.entries()) {
    const text = JSON.stringify(entryFacts(index, choice, target), null, 2).replaceAll('\n', '\n    ');
    yield `${index > 0 ? ',' : ''}\n    ${text}`;
  }
  yield `${entries.length > 0 ? '\n  ' : ''}${frame.slice(at)}\n`;
}
