/** Every driver of fsdrivers over its own images, and partition tables. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { drivers, type Registered } from '../../fsdrivers';
import type { Context } from '../../lib/bytes/budget';
import { fileExtents } from '../../lib/fs/file';
import type { FileSystem, FsNode } from '../../lib/fs/types';
import { walk } from '../../lib/fs/walk';
import { readTable } from '../../lib/volume';
import type { PartitionTable } from '../../lib/volume/types';
import { layouts } from '../../test/volume/sparse';
import { type Image, loadImage, PAGE } from '../disk';
import { guarded, ImageTarget, type Parser, type Sample } from './images';

const scratch = Buffer.alloc(32 * 1024);

/** Some of a file's bytes, through its extents, as copying would get them. */
export function content(fs: FileSystem, node: FsNode, ctx: Context): void {
  let extents = 0;
  let unpacked = 0;
  for (const extent of fileExtents(fs, node, ctx)) {
    if (++extents > 48) break;
    if (extent.kind === 'data' && extents <= 6) {
      const part = scratch.subarray(0, Math.min(extent.length, scratch.length));
      extent.source.read(extent.at, part);
    } else if (extent.kind === 'packed' && ++unpacked <= 3) {
      const bytes = extent.unpack();
      if (bytes.length !== extent.length)
        throw new Error(`a packed extent of ${extent.length} bytes gave ${bytes.length}`);
    } else if (extent.kind === 'inline' && extent.bytes.length < extent.length)
      throw new Error(`an inline extent of ${extent.length} bytes has ${extent.bytes.length}`);
  }
}

function look(fs: FileSystem, path: string, ctx: Context): void {
  const node = walk(fs, path, false);
  if (node.kind === 'symlink') fs.readlink(node);
  else if (node.kind === 'file') content(fs, node, ctx);
  else if (node.kind === 'directory') {
    let names = 0;
    for (const entry of fs.readdir(node)) {
      if (++names > 60) break;
      if (names <= 2) guarded(() => void entry.node());
    }
    fs.lookup(node, 'nothing');
  }
}

const filesystem = (driver: Registered): Parser<{ fs: FileSystem }> => ({
  open(disk, ctx, others) {
    if (!driver.looksLike(disk, ctx)) return undefined;
    const loaded = driver.load();
    if (!loaded.probe(disk, ctx)) return undefined;
    return { fs: loaded.open([disk], ctx, { others }) };
  },
  use({ fs }, paths, ctx) {
    guarded(() => look(fs, '/', ctx));
    for (const path of paths) guarded(() => look(fs, path, ctx));
  },
  paths({ fs }, ctx) {
    const found = ['/'];
    for (let i = 0; i < found.length && found.length < 120; i++) {
      guarded(() => {
        const node = walk(fs, found[i]!, false);
        if (node.kind !== 'directory') return;
        let names = 0;
        for (const entry of fs.readdir(node)) {
          if (++names > 24) break;
          found.push(`${found[i] === '/' ? '' : found[i]}/${entry.name}`);
        }
      });
    }
    guarded(() => void look(fs, '/', ctx));
    return found.slice(0, 160);
  },
});

/** Where changes of what opening reads would leave too few inputs: measured, see README.md. */
const EARLY: Readonly<Record<string, number>> = {};

const names = (root: string, folder: string): string[] => readdirSync(join(root, 'fixtures', folder));

export function fileSystemTargets(root: string): ImageTarget<unknown>[] {
  const images = names(root, 'images').filter((n) => n.endsWith('.img.gz'));
  const bad = names(root, 'malformed').filter((n) => n.endsWith('.img.gz'));
  return [...drivers()].map((driver) => {
    const own = images
      .filter((n) => new RegExp(`^${driver.name}(-|\\.)`).test(n) && !/-member|-journal\.img/.test(n))
      .map((n): Sample => {
        const expected = join(root, 'fixtures/images', n.replace('.img.gz', '.expected.json'));
        const members: string[] = existsSync(expected)
          ? (JSON.parse(readFileSync(expected, 'utf8')).members ?? [])
          : [];
        return {
          name: n.replace('.img.gz', ''),
          load: () => loadImage(root, `fixtures/images/${n}`),
          ...(members.length > 0
            ? { members: () => members.map((m) => loadImage(root, `fixtures/images/${m}.img.gz`)) }
            : {}),
        };
      });
    // Past findings: one input in ten or so begins with one of them.
    const past = bad
      .filter((n) => n.startsWith(`${driver.name}-`))
      .slice(0, Math.ceil(own.length / 8))
      .map(
        (n): Sample => ({
          name: n.replace('.img.gz', ''),
          load: () => loadImage(root, `fixtures/malformed/${n}`),
        }),
      );
    const early = EARLY[driver.name] ?? 0.2;
    return new ImageTarget(driver.name, filesystem(driver), [...own, ...past], early) as ImageTarget<unknown>;
  });
}

const tables: Parser<PartitionTable> = {
  open: (disk, ctx) => readTable(disk, ctx),
  use() {},
  paths: () => [],
};

/** Partition tables by scheme, from the layouts that sfdisk and others made. */
export function tableTargets(): ImageTarget<unknown>[] {
  const by = new Map<string, Sample[]>();
  for (const [name, layout] of layouts()) {
    const { expected } = layout;
    if (!expected || expected === 'corrupt' || layout.size > 2 ** 32) continue;
    const load = (): Image => {
      const pages: (Buffer | undefined)[] = new Array(Math.ceil(layout.size / PAGE)).fill(undefined);
      for (const [at, text] of Object.entries(layout.data)) {
        const index = Math.floor(Number(at) / PAGE);
        pages[index] ??= Buffer.alloc(PAGE);
        Buffer.from(text, 'base64').copy(pages[index]!, Number(at) % PAGE);
      }
      return { name, size: layout.size, pages };
    };
    const list = by.get(expected.scheme) ?? [];
    list.push({ name, load });
    by.set(expected.scheme, list);
  }
  return [...by].map(
    ([scheme, samples]) => new ImageTarget(`table-${scheme}`, tables, samples, 0.5) as ImageTarget<unknown>,
  );
}
