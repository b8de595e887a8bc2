/** A snapshot of the old kind: the origin, but for the chunks that were copied away (drivers/md/dm-snap-persistent.c). */
import type { Context } from '../../bytes/budget';
import { corrupt, unsupported } from '../../bytes/errors';
import { type BlockSource, readBytes } from '../../source/types';
import { type How, MappedSource } from '../raid/mapped';
import { EXCEPTION, SNAP_MAGIC, SnapHeader } from './layout';

export class SnapshotSource extends MappedSource {
  readonly #moved = new Map<number, number>();
  readonly #chunk: number;

  /** @throws GuestError `corrupt`, `unsupported` */
  constructor(
    label: string,
    readonly origin: BlockSource,
    readonly store: BlockSource,
    ctx: Context,
  ) {
    super(label, origin.size, ctx);
    const head = SnapHeader.read(readBytes(store, 0, SnapHeader.size, ctx));
    if (head.magic !== SNAP_MAGIC) throw corrupt('snapshot without a header', label);
    if (head.valid === 0) throw unsupported('the snapshot is invalid: its store was full', label);
    if (head.version !== 1) throw unsupported(`snapshot of version ${head.version}`, label);
    const chunk = head.chunk_size * 512;
    if (chunk < 4096 || chunk > 2 ** 24 || (chunk & (chunk - 1)) !== 0)
      throw corrupt(`snapshot with chunks of ${chunk} bytes`, label);
    this.#chunk = chunk;
    const each = chunk / EXCEPTION;
    for (let area = 0; ; area++) {
      const at = (1 + area * (each + 1)) * chunk;
      if (at + chunk > store.size) return;
      const rows = readBytes(store, at, chunk, ctx);
      ctx.budget.step(each);
      for (let i = 0; i < each; i++) {
        const [old, to] = [rows.readBigUInt64LE(i * EXCEPTION), rows.readBigUInt64LE(i * EXCEPTION + 8)];
        if (to === 0n) return;
        if ((Number(to) + 1) * chunk > store.size)
          throw corrupt(`snapshot: chunk ${to} lies beyond its store`, label);
        ctx.budget.allocate(64);
        this.#moved.set(Number(old), Number(to));
      }
    }
  }

  protected piece(at: number, into: Uint8Array, how: How): number {
    const chunk = this.#chunk;
    const number = Math.floor(at / chunk);
    const inside = at - number * chunk;
    const part = into.subarray(0, Math.min(into.length, chunk - inside));
    const to = this.#moved.get(number);
    if (to === undefined) how(this.origin, at, part);
    else how(this.store, to * chunk + inside, part);
    return part.length;
  }
}
