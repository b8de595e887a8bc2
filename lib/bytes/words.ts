/**
 * Long lists of little-endian numbers, as this machine has them: Buffer's readers are JavaScript, and a large file's map
 * has tens of thousands of entries.
 */

/** `count` 32-bit numbers from byte `at` on, which are all there: a copy. */
export function words(bytes: Uint8Array, at: number, count: number): Uint32Array {
  const list = new Uint32Array(count);
  const own = new Uint8Array(list.buffer);
  own.set(bytes.subarray(at, at + count * 4));
  if (new Uint8Array(Uint32Array.of(1).buffer)[0] !== 1) {
    const view = new DataView(list.buffer);
    for (let i = 0; i < count; i++) list[i] = view.getUint32(i * 4, true);
  }
  return list;
}
