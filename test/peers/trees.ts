/** Trees to put on filesystems, and their comparison with what a driver reads. */
import {
  closeSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { openFileSystem } from '../../fsdrivers';
import type { FileSystem, FsNode } from '../../lib/fs/types';
import { CacheSource } from '../../lib/source/cache';
import { openDisk } from '../../lib/source/file';
import { digest } from '../fsdrivers/compare';
import { context, type TestContext, THOROUGH } from '../support';
import { must, sha256, unmount } from './support';

export interface Opened {
  readonly fs: FileSystem;
  readonly ctx: TestContext;
}

/** Opens images as the program does: the first is the filesystem, the others are offered as other volumes. */
export function openImage(path: string, ...others: string[]): Opened {
  const ctx = context();
  const fs = openFileSystem(new CacheSource(openDisk(path)), ctx, () =>
    others.map((other) => new CacheSource(openDisk(other))),
  );
  if (!fs) throw new Error(`${path} is not known`);
  return { fs, ctx };
}

/** Files of a large tree. */
export const MANY = THOROUGH ? 20_000 : 3000;

export interface TreeOptions {
  /** Small files in one directory and spread over many; 20,000 makes a large tree of 3 s. */
  readonly files?: number;
  /** Symbolic links, default true. */
  readonly links?: boolean;
  /** Hard links, default true. */
  readonly hardLinks?: boolean;
  /** Names that are not UTF-8, and names that differ in case alone; default true. */
  readonly bytes?: boolean;
  /** Bytes of the longest names, default 255. */
  readonly longest?: number;
  /** A sparse file, default true. */
  readonly sparse?: boolean;
  /** A FIFO, default false. */
  readonly fifo?: boolean;
}

/** Deterministic bytes that do not pack well. */
export function noise(size: number, seed: number): Buffer {
  const bytes = Buffer.alloc(size);
  let state = (seed * 2654435761 + 1) >>> 0;
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

/** Every kind of name, size, link and hole below `root`, which must not exist yet or be empty. */
export function plantTree(root: string, options: TreeOptions = {}): void {
  const { files = 400, links = true, hardLinks = true, bytes = true, longest = 255, sparse = true } = options;
  const at = (...names: string[]) => join(root, ...names);
  mkdirSync(at('boot/grub'), { recursive: true });
  writeFileSync(at('boot/grub/grub.cfg'), 'set timeout=5\n'.repeat(300));
  writeFileSync(at('boot/vmlinuz'), Buffer.alloc(3_000_000, 'kernel '));
  writeFileSync(at('boot/initrd.img'), noise(2_000_003, 1));
  for (const size of [
    0, 1, 7, 59, 60, 61, 100, 150, 255, 256, 511, 512, 513, 700, 1023, 1024, 1025, 2048, 3500, 4095,
  ])
    writeFileSync(at(`size${size}`), noise(size, size));
  for (const size of [4096, 4097, 8192, 12_288, 12_289, 65_536, 70_000, 131_072, 131_073, 300_000, 1_048_577])
    writeFileSync(at(`size${size}`), Buffer.alloc(size, `${size} `));
  if (sparse) {
    const fd = openSync(at('sparse'), 'w');
    for (let i = 0; i < 60; i++) writeSync(fd, `piece ${i}`, i * 300_000);
    writeSync(fd, 'the end', 20_000_000);
    closeSync(fd);
    writeFileSync(at('zeros'), Buffer.alloc(500_000));
  }
  if (links) {
    mkdirSync(at('links'));
    for (const length of [1, 20, 59, 60, 61, 100, 150, 250, 500, 900, 1020])
      symlinkSync('l'.repeat(length), at('links', `link${length}`));
    symlinkSync('../boot/vmlinuz', at('links/relative'));
    symlinkSync('/boot/vmlinuz', at('links/absolute'));
    symlinkSync('.', at('links/here'));
    symlinkSync('Größe', at('links/umlaut'));
  }
  if (hardLinks) linkSync(at('boot/vmlinuz'), at('hardlink'));
  mkdirSync(at('names'));
  const long = (count: number) => 'n'.repeat(Math.min(longest, count));
  for (const name of new Set([
    long(100),
    long(200),
    long(254),
    long(255),
    'a',
    'dot.',
    '.hidden',
    'a b',
    'Größe',
    '日本語',
  ]))
    writeFileSync(at('names', name), name);
  if (bytes) {
    writeFileSync(Buffer.concat([Buffer.from(`${at('names')}/`), Buffer.from([0xff, 0xfe, 0x80])]), 'bytes');
    writeFileSync(at('names/Case'), 'upper');
    writeFileSync(at('names/case'), 'lower');
    writeFileSync(at('names/a:b*c?'), 'special');
  }
  mkdirSync(at('d1/d2/d3/d4/d5/d6/d7/d8/d9/d10'), { recursive: true });
  writeFileSync(at('d1/d2/d3/d4/d5/d6/d7/d8/d9/d10/deep'), 'deep');
  mkdirSync(at('empty'));
  if (options.fifo) must('mkfifo', at('fifo'));
  mkdirSync(at('many'));
  for (let i = 0; i < Math.ceil(files / 2); i++)
    writeFileSync(
      at('many', `name of file ${i}${i % 5 ? '' : ' ä'}`.slice(0, longest)),
      `${i}`.repeat(i % 90),
    );
  for (let i = 0; i < Math.floor(files / 2); i++) {
    const dir = at('spread', `${i % 37}`);
    if (i < 37) mkdirSync(dir, { recursive: true });
    writeFileSync(join(dir, `file-${i}.conf`), `${i} `.repeat((i * 7) % 700));
  }
}

export interface Differing {
  /** A name as the driver must show it, given the host's (byte string); undefined: it must not be there. */
  readonly shown?: (name: string) => string | undefined;
  /** Names of the top directory that are not compared. */
  readonly except?: readonly string[];
}

/**
 * Differences between `folder` of the host and the filesystem: kinds, sizes, contents, targets, by listing and by
 * lookup. [] is what we want.
 */
export function differences({ fs, ctx }: Opened, folder: string, options: Differing = {}): string[] {
  const wrong: string[] = [];
  const { shown = (name) => name, except = [] } = options;
  /** Hard links are hashed once. */
  const sums = new Map<string, string>();
  const compare = (dir: FsNode, path: Buffer, top: boolean): void => {
    const mine = new Map<string, FsNode>();
    for (const entry of fs.readdir(dir)) {
      if (top && except.includes(entry.name)) continue;
      const node = entry.node();
      if (entry.kind !== undefined && entry.kind !== node.kind)
        wrong.push(`${path}/${entry.name}: listed as ${entry.kind}, is ${node.kind}`);
      if (mine.has(entry.name)) wrong.push(`${path}/${entry.name}: listed twice`);
      mine.set(entry.name, node);
    }
    const theirs = new Map<string, Buffer>();
    for (const b of readdirSync(path, { encoding: 'buffer' }) as unknown as Buffer[]) {
      const name = shown(b.toString('latin1'));
      if (name !== undefined && !(top && except.includes(name)))
        theirs.set(name, Buffer.concat([path, Buffer.from('/'), b]));
    }
    for (const name of mine.keys()) if (!theirs.has(name)) wrong.push(`${path}/${name}: not expected`);
    for (const [name, at] of theirs) {
      const node = mine.get(name);
      if (!node) {
        wrong.push(`${at}: missing`);
        continue;
      }
      if (fs.lookup(dir, name)?.id !== node.id) wrong.push(`${at}: lookup and listing differ`);
      const st = lstatSync(at);
      const kind = st.isFile()
        ? 'file'
        : st.isDirectory()
          ? 'directory'
          : st.isSymbolicLink()
            ? 'symlink'
            : 'other';
      if (node.kind !== kind) wrong.push(`${at}: ${node.kind}, ${kind} expected`);
      else if (kind === 'directory') compare(node, at, false);
      else if (kind === 'symlink') {
        const to = (readlinkSync(at, { encoding: 'buffer' }) as unknown as Buffer).toString('latin1');
        if (fs.readlink(node) !== to) wrong.push(`${at}: link to ${fs.readlink(node)}`);
      } else if (kind === 'file') {
        if (node.size !== st.size) wrong.push(`${at}: size ${node.size}, ${st.size} expected`);
        else {
          const inode = `${st.dev}/${st.ino}`;
          const sum = sums.get(inode) ?? sha256(readFileSync(at));
          sums.set(inode, sum);
          if (digest(fs, node, ctx) !== sum) wrong.push(`${at}: content`);
        }
      }
    }
  };
  compare(fs.root, Buffer.from(folder), true);
  return wrong;
}

/** Type, UUID and label as blkid prints them; a missing one is ''. */
export function sameIdentity(t: Test, fs: FileSystem, path: string, message?: string): void {
  const tag = (name: string) =>
    must('sh', '-c', 'blkid -p -s "$1" -o value "$2" || true', 'sh', name, path).trim();
  t.same(
    [fs.type, fs.uuid ?? '', fs.label ?? ''],
    [tag('TYPE'), tag('UUID'), tag('LABEL')],
    message ?? 'as blkid says',
  );
}

/** Mounts a copy or an image by loop device for the time of `body`. */
export function mounted<T>(image: string, folder: string, options: string, body: () => T): T {
  mkdirSync(folder, { recursive: true });
  must('mount', '-o', `loop${options ? `,${options}` : ''}`, image, folder);
  try {
    return body();
  } finally {
    unmount(folder, image);
  }
}
