/** `--isconfig`: the operand is a configuration, so it is put where a guest would have it, on a volume of its own. */
import { notFound } from '../bytes/errors';
import type { FileSystem, FsNode } from '../fs/types';
import { type BlockSource, MemorySource } from '../source/types';

export function configDisk(text: Buffer): BlockSource {
  return new MemorySource(text, 'configuration');
}

/** A filesystem that holds the source's bytes as `/boot/grub/grub.cfg`, and nothing else. */
export function configFileSystem(source: BlockSource): FileSystem {
  const names = ['boot', 'grub', 'grub.cfg'];
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
}
