/** SUSP: the entries of a System Use field, through its continuation areas. */
import { corrupt } from '../../lib/bytes/errors';
import { readBytes } from '../../lib/source/types';
import type { IsoDisk } from './disk';
import { ContinuationArea, ENTRY_HEAD, MAX_CONTINUATION_BYTES, MAX_CONTINUATIONS, SIG } from './layout';

/**
 * Each entry whole, from its signature on; CE, ST and what cannot be an entry are not handed out. Damage inside an area
 * ends that area (Linux: what is wrong here must not make a file invisible).
 * @throws GuestError `corrupt` for continuation areas that loop, are too many or too large, or lie outside the disk
 */
export function* readEntries(disk: IsoDisk, systemUse: Buffer): Generator<Buffer> {
  let area = systemUse;
  const seen: number[] = [];
  for (;;) {
    let continuation: Buffer | undefined;
    for (let at = 0; at + ENTRY_HEAD <= area.length; ) {
      disk.ctx.budget.step();
      const length = area[at + 2]!;
      const sig = area.readUInt16BE(at);
      if (sig === SIG.ST || sig === 0) break;
      if (length < ENTRY_HEAD || at + length > area.length) {
        disk.warnOnce('SUSP length', `System Use entry of ${length} bytes, ${area.length - at} are left`);
        break;
      }
      const entry = area.subarray(at, at + length);
      if (sig !== SIG.CE) yield entry;
      else if (length >= ContinuationArea.size) continuation = entry;
      at += length;
    }
    if (!continuation) return;
    const { BlockLocation, Offset, Length } = ContinuationArea.read(continuation);
    const where = `continuation area in block ${BlockLocation}`;
    const place = BlockLocation * disk.blockSize + Offset;
    if (seen.includes(place)) throw corrupt('it leads back to itself', where);
    if (seen.length >= MAX_CONTINUATIONS) throw corrupt(`more than ${MAX_CONTINUATIONS} of them`, where);
    if (Length > MAX_CONTINUATION_BYTES)
      throw corrupt(`${Length} bytes, maximum ${MAX_CONTINUATION_BYTES}`, where);
    if (place + Length > disk.source.size)
      throw corrupt(`ends at byte ${place + Length}, the disk has ${disk.source.size}`, where);
    seen.push(place);
    area = readBytes(disk.source, place, Length, disk.ctx);
  }
}
