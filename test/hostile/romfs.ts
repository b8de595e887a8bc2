/**
 * A disk of any content without a tool: ROM FS, as Linux' Documentation/filesystems/romfs.rst tells it (big-endian words, all
 * aligned to 16 bytes, a header's words sum to 0).
 */

/** A symbolic link. */
interface Link {
  readonly to: string;
}

/** Contents by path; folders are made. */
export type Files = Record<string, Buffer | string | Link>;

class Folder {
  readonly entries = new Map<string, Buffer | Link | Folder>();
}

function nested(files: Files): Folder {
  const root = new Folder();
  for (const [path, content] of Object.entries(files)) {
    const names = path.split('/').filter(Boolean);
    const last = names.pop()!;
    let at = root;
    for (const name of names) {
      const known = at.entries.get(name);
      const next = known instanceof Folder ? known : new Folder();
      at.entries.set(name, next);
      at = next;
    }
    at.entries.set(last, typeof content === 'string' ? Buffer.from(content, 'latin1') : content);
  }
  return root;
}

/** The name and its NUL, filled up to 16 bytes. */
function padded(text: string): Buffer {
  const out = Buffer.alloc(Math.ceil((text.length + 1) / 16) * 16);
  out.write(text, 'latin1');
  return out;
}

/** Writes the sum that makes all words together 0. */
function summed(block: Buffer, place: number, length = block.length): void {
  block.writeUInt32BE(0, place);
  let sum = 0;
  for (let at = 0; at + 4 <= length; at += 4) sum = (sum + block.readUInt32BE(at)) >>> 0;
  block.writeUInt32BE(-sum >>> 0, place);
}

const FOLDER = 1;
const FILE = 2;
const LINK = 3;
const EXECUTABLE = 8;

export function romfs(files: Files): Buffer {
  const parts: Buffer[] = [];
  let end = 0;
  const add = (block: Buffer) => {
    parts.push(block);
    end += block.length;
    return block;
  };
  const put = (folder: Folder): void => {
    let left = folder.entries.size;
    for (const [name, content] of folder.entries) {
      const start = end;
      const head = add(Buffer.concat([Buffer.alloc(16), padded(name)]));
      let type = FOLDER | EXECUTABLE;
      if (content instanceof Folder) {
        head.writeUInt32BE(start + head.length, 4);
        put(content);
      } else {
        const bytes = Buffer.isBuffer(content) ? content : Buffer.from(content.to, 'latin1');
        type = Buffer.isBuffer(content) ? FILE : LINK;
        head.writeUInt32BE(bytes.length, 8);
        add(bytes);
        add(Buffer.alloc(-bytes.length & 15));
      }
      head.writeUInt32BE((--left > 0 ? end : 0) | type, 0);
      summed(head, 12);
    }
  };
  const superblock = add(Buffer.concat([Buffer.from('-rom1fs-'), Buffer.alloc(8), padded('hostile')]));
  // The root is the first header, and the first of its own entries.
  const root = Buffer.concat([Buffer.alloc(16), padded('.')]);
  root.writeUInt32BE((end + root.length) | FOLDER | EXECUTABLE, 0);
  root.writeUInt32BE(end, 4);
  summed(root, 12);
  add(root);
  put(nested(files));
  add(Buffer.alloc((-end & 1023) + 1024));
  superblock.writeUInt32BE(end, 8);
  const image = Buffer.concat(parts);
  summed(image, 12, 512);
  return image;
}
