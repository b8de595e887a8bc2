/**
 * LZ4's first frame format (`lz4 -l`), which the Linux kernel uses: a magic number, then blocks with their packed sizes, each of
 * 8 MiB but the last. Nothing says where it ends. Source: lz4, doc/lz4_Frame_format.md, "Legacy frame".
 */
import { corrupt } from '../errors';
import { lz4Block } from './lz4';

const MAGIC = 0x184c2102;
const BLOCK = 8 * 1024 * 1024;

/**
 * All blocks of `from`; another magic number between two is a further frame. A piece is valid until the next one is asked for.
 * @param work is told of each piece before it is made: bytes that will be held or looked at
 * @throws GuestError `corrupt`
 */
export function* lz4Legacy(from: Uint8Array, work: (bytes: number) => void): Generator<Uint8Array> {
  const view = new DataView(from.buffer, from.byteOffset, from.length);
  if (from.length < 4 || view.getUint32(0, true) !== MAGIC) throw corrupt('lz4: no legacy frame');
  work(BLOCK);
  const into = new Uint8Array(BLOCK);
  for (let at = 4; at < from.length; ) {
    if (at + 4 > from.length) throw corrupt(`lz4: the input ends after ${from.length} bytes`);
    const size = view.getUint32(at, true);
    at += 4;
    if (size === MAGIC) continue;
    if (size > from.length - at) throw corrupt(`lz4: a block of ${size} bytes, ${from.length - at} are left`);
    work(size);
    const length = lz4Block(from.subarray(at, at + size), into);
    at += size;
    work(length);
    yield into.subarray(0, length);
  }
}
