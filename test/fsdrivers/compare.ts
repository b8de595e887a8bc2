/** Compares a filesystem as the driver sees it with the listing that a recipe got from the kernel or debugfs. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { fileExtents } from '../../lib/fs/file';
import type { FileSystem, FsNode } from '../../lib/fs/types';
import { walk } from '../../lib/fs/walk';
import { ROOT, type TestContext } from '../support';

export type Expected =
  | { kind: 'directory' | 'other' }
  | { kind: 'symlink'; target: string }
  | { kind: 'file'; size: number; sha256: string }
  /** Of a directory with many names, of which only some are listed one by one. */
  | { names: number; sha256: string };

export interface Listing {
  type: string;
  /** '' when there is none. */
  uuid: string;
  label: string;
  /** Other images of the same folder that the filesystem needs (`btrfs-raid1-2`), when it has several members. */
  members?: string[];
  /** Warnings that opening and reading all of it must give, as regular expressions; none when absent. */
  warnings?: string[];
  entries: Record<string, Expected>;
}

export const listing = (name: string): Listing =>
  JSON.parse(readFileSync(join(ROOT, 'fixtures', 'images', `${name}.expected.json`), 'utf8'));

const sha256 = () => createHash('sha256');

/** sha256 of a file's bytes, by its extents. A packed extent must give exactly what it promises. */
export function digest(fs: FileSystem, node: FsNode, ctx: TestContext): string {
  const hash = sha256();
  const buffer = Buffer.alloc(256 * 1024);
  for (const extent of fileExtents(fs, node, ctx)) {
    const length = Math.min(extent.length, node.size - extent.offset);
    if (extent.kind === 'packed') {
      const bytes = extent.unpack();
      if (bytes.length !== extent.length)
        throw new Error(`packed extent of ${extent.length} bytes gave ${bytes.length}`);
      hash.update(bytes.subarray(0, length));
      continue;
    }
    for (let done = 0; done < length; ) {
      const part = buffer.subarray(0, Math.min(buffer.length, length - done));
      if (extent.kind === 'data') extent.source.read(extent.at + done, part);
      else if (extent.kind === 'inline') part.set(extent.bytes.subarray(done, done + part.length));
      else part.fill(0);
      hash.update(part);
      done += part.length;
    }
  }
  return hash.digest('hex');
}

function seen(fs: FileSystem, node: FsNode, ctx: TestContext): Expected {
  if (node.kind === 'symlink') return { kind: 'symlink', target: fs.readlink(node) };
  if (node.kind === 'file') return { kind: 'file', size: node.size, sha256: digest(fs, node, ctx) };
  return { kind: node.kind };
}

/** Every path of the listing by lookup, and every directory by listing: nothing more, nothing less, nothing else. */
export function sameAs(t: Test, fs: FileSystem, expected: Listing, ctx: TestContext): void {
  t.same(
    { type: fs.type, uuid: fs.uuid ?? '', label: fs.label ?? '' },
    { type: expected.type, uuid: expected.uuid, label: expected.label },
    'type, UUID, label',
  );
  const found: Record<string, Expected> = {};
  const names = new Map<string, string[]>();
  for (const path of Object.keys(expected.entries)) {
    if (path.endsWith('/')) continue;
    found[path] = seen(fs, walk(fs, path, false), ctx);
    const cut = path.lastIndexOf('/');
    names.set(path.slice(0, cut), [...(names.get(path.slice(0, cut)) ?? []), path.slice(cut + 1)]);
    if (Object.hasOwn(found[path]!, 'kind') && (found[path] as { kind: string }).kind === 'directory')
      names.set(path, names.get(path) ?? []);
  }
  for (const [directory, some] of names) {
    const listed: string[] = [];
    const node = walk(fs, directory);
    for (const entry of fs.readdir(node)) {
      listed.push(entry.name);
      if (entry.kind !== undefined && entry.node().kind !== entry.kind)
        t.fail(`${directory}/${entry.name}: the entry says ${entry.kind}, the inode ${entry.node().kind}`);
    }
    listed.sort();
    if (expected.entries[`${directory}/`])
      found[`${directory}/`] = {
        names: listed.length,
        sha256: sha256().update(listed.join('\n'), 'latin1').digest('hex'),
      };
    else t.same(listed, some.sort(), `names in ${directory || '/'}`);
  }
  t.same(found, expected.entries, 'kinds, sizes, contents, targets');
}
