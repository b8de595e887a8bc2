/** `--isconfig`: the operand is a configuration, so it is put where a guest would have it, on a volume of its own. */
import { closeSync, openSync, readSync } from 'node:fs';
import { basename } from 'node:path';
import { dialects, furtherDialects } from '../boot';
import type { Context } from '../bytes/budget';
import { GuestError, hostError, notFound } from '../bytes/errors';
import { LIMITS, type Limits } from '../bytes/limits';
import { variable } from '../bytes/over';
import { type ByteString, fromBytes, fromHost, printable } from '../bytes/text';
import type { FileSystem, FsNode } from '../fs/types';
import { type BlockSource, MemorySource } from '../source/types';

/** @param open the file, where somebody has opened it already */
export function configDisk(path: string, limits: Limits = LIMITS, open?: number): BlockSource {
  return new MemorySource(readConfig(path, limits, open), 'configuration');
}

/** The operand of `--isconfig`, at most `configBytes` of it. */
function readConfig(path: string, limits: Limits, open?: number): Buffer {
  const name = printable(fromHost(path));
  try {
    const fd = open ?? openSync(path, 'r');
    try {
      const parts: Buffer[] = [];
      let total = 0;
      for (;;) {
        const part = Buffer.allocUnsafe(64 * 1024);
        const n = readSync(fd, part, 0, part.length, null);
        if (n === 0) return Buffer.concat(parts);
        total += n;
        if (total > limits.configBytes)
          throw new GuestError(
            'limit',
            `${name}: more than ${limits.configBytes} bytes (${variable('configBytes')})`,
          );
        parts.push(part.subarray(0, n));
      }
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (error instanceof GuestError) throw error;
    throw hostError(`cannot read ${name}`, error);
  }
}

/**
 * What only one kind of configuration has at the start of a line, for files that are named otherwise than in a guest.
 * In this order: a grub.cfg may hold any of the later words inside an entry.
 */
const SIGNS: readonly (readonly [sign: RegExp, path: ByteString])[] = [
  [/^[ \t]*(?:menuentry|submenu|blscfg|set[ \t]+\w+=)/m, '/boot/grub/grub.cfg'],
  [/^[ \t]*(?:label|menu[ \t]+label)[ \t]/im, '/boot/extlinux/extlinux.conf'],
  [/^[ \t]*(?:root|kernel)[ \t=]+[(/]/m, '/boot/grub/menu.lst'],
  [/^[ \t]*image[ \t]*=/m, '/etc/lilo.conf'],
  [/^[ \t]*(?:linux|efi|uki)[ \t]+[^ \t\n]/m, '/loader/entries/entry.conf'],
];

/** Where a guest has a configuration of this name or, failing that, this content. */
export function placeOf(name: ByteString, text: ByteString): ByteString {
  for (const { paths } of [...dialects, ...furtherDialects()]) {
    const path = paths.find((p) => p.endsWith(`/${name}`));
    if (path !== undefined) return path;
  }
  return SIGNS.find(([sign]) => sign.test(text))?.[1] ?? '/boot/grub/grub.cfg';
}

/** Bytes that are looked at to tell what a configuration is. */
const HEAD = 64 * 1024;

/**
 * Makes a filesystem that holds the source's bytes as the configuration they are, and nothing else.
 * @param file the operand: its name says what it is, if it is one of those that guests have
 */
export function configFileSystem(file: string): (source: BlockSource, ctx: Context) => FileSystem {
  return (source) => {
    const head = Buffer.alloc(Math.min(source.size, HEAD));
    source.read(0, head);
    const names = placeOf(fromHost(basename(file)), fromBytes(head))
      .slice(1)
      .split('/');
    const nodes: FsNode[] = ['/', ...names].map((id, depth) =>
      depth < names.length ? { kind: 'directory', size: 0, id } : { kind: 'file', size: source.size, id },
    );
    const child = (dir: FsNode, name?: string) => {
      const depth = nodes.indexOf(dir);
      return name === undefined || name === names[depth] ? nodes[depth + 1] : undefined;
    };
    return {
      type: 'configuration',
      grubName: 'procfs',
      root: nodes[0]!,
      lookup: child,
      *readdir(dir) {
        const node = child(dir);
        if (node) yield { name: String(node.id), kind: node.kind, node: () => node };
      },
      readlink(link) {
        throw notFound(`${link.id} is no symbolic link`);
      },
      *extents() {
        yield { kind: 'data', offset: 0, length: source.size, source, at: 0 };
      },
    };
  };
}
