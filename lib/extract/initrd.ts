/**
 * Several initrds → one ramdisk, the way GRUB lays them out: each part starts at a multiple of four bytes, and a
 * `newc:NAME:FILE` part is wrapped in a cpio archive (Linux: Documentation/driver-api/early-userspace/buffer-format).
 */

import type { InitrdPart } from '../boot/model';
import type { Context } from '../bytes/budget';
import { corrupt, GuestError, notFound } from '../bytes/errors';
import { type ByteString, printable, toBytes } from '../bytes/text';
import { copyFile, type Output } from './copy';

const align4 = (n: number) => (4 - (n % 4)) % 4;

/** A header of the "new ASCII" cpio format: magic and thirteen 8-digit hexadecimal fields, then the name. */
function cpioHeader(name: ByteString, mode: number, size: number): Buffer {
  const hex = (n: number) => n.toString(16).toUpperCase().padStart(8, '0');
  const fields = [0, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, name.length + 1, 0];
  const head = toBytes(`070701${fields.map(hex).join('')}${name}\0`);
  return Buffer.concat([head, Buffer.alloc(align4(head.length))]);
}

/** Copies all parts. @throws GuestError */
export async function copyInitrds(parts: readonly InitrdPart[], out: Output, ctx: Context): Promise<void> {
  let archive = false;
  const directories = new Set<string>();
  const pad = () => out.zeros(align4(out.position));
  const trailer = async () => {
    await pad();
    await out.bytes(cpioHeader('TRAILER!!!', 0, 0));
    archive = false;
    directories.clear();
  };
  for (const part of parts) {
    const found = part.file.found;
    if (!found) throw notFound(part.file.problem ?? `${printable(part.file.path)}: not found`);
    if (found.node.kind !== 'file') throw corrupt(`${printable(part.file.path)} is not a regular file`);
    await pad();
    if (part.newcName !== undefined) {
      const name = part.newcName.replace(/^\/+/, '');
      if (found.node.size > 0xffffffff)
        throw new GuestError('limit', `${printable(part.file.path)}: too large for a cpio archive`);
      for (let slash = name.indexOf('/'); slash >= 0; slash = name.indexOf('/', slash + 1)) {
        const directory = name.slice(0, slash);
        if (directory === '' || directories.has(directory)) continue;
        directories.add(directory);
        await out.bytes(cpioHeader(directory, 0o040777, 0));
      }
      await out.bytes(cpioHeader(name, 0o100777, found.node.size));
      archive = true;
    } else if (archive) {
      await trailer();
      await pad();
    }
    await copyFile(found.fs, found.node, out, ctx);
  }
  if (archive) await trailer();
}
