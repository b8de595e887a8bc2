/**
 * Long lists of little-endian numbers, as this machine has them: Buffer's readers are JavaScript, and a large file's map
 * has tens of thousands of entries.
 */

/** `count` 32-bit numbers from byte `at` on, which are all there; a view of the bytes where that is possible. */
export function words(bytes: Uint8Array, at: number, count: number): Uint32Array {
  const from = bytes.byteOffset + at;
  const variables: Readonly<Record<string, unknown>> = process.config.variables;
  if (variables.node_byteorder === 'little' && from % 4 === 0)
    return new Uint32Array(bytes.buffer, from, count);
  const list = new Uint32Array(count);
  const view = new DataView(bytes.buffer, from, count * 4);
  for (let i = 0; i < count; i++) list[i] = view.getUint32(i * 4, true);
  return list;
}
