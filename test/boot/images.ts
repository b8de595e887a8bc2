/** Small files that look like kernels by their first bytes, for tests and for fixtures. */

/** Linux' x86 boot protocol: boot flag and `HdrS`. */
export function bzImage(name: string): Buffer {
  const image = Buffer.alloc(1536);
  image.writeUInt16LE(0xaa55, 0x1fe);
  image.write('HdrS', 0x202, 'latin1');
  image.write(`${name}\0`, 0x280, 'latin1');
  return image;
}
