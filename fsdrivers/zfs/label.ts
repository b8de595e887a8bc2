/** The four labels of a member: what pool and tree it belongs to, and the ring of uberblocks. */
import type { Context } from '../../lib/bytes/budget';
import { GuestError } from '../../lib/bytes/errors';
import type { ByteString } from '../../lib/bytes/text';
import { type BlockSource, readBytes } from '../../lib/source/types';
import { type BlockPointer, blockPointer } from './blockpointer';
import { sameWords, sha256, type Words } from './checksum';
import {
  type Block,
  ECK_MAGIC,
  ECK_SIZE,
  high,
  LABEL_SIZE,
  low,
  NVLIST_AT,
  NVLIST_SIZE,
  SLOT_SHIFT,
  type Structures,
  structures,
  UBERBLOCK_MAGIC,
  UBERBLOCKS_AT,
  UBERBLOCKS_SIZE,
} from './layout';
import { count, identifier, listOf, type Nvlist, nvlist, textOf } from './nvlist';

export interface Label {
  /** Which of the four. */
  readonly index: number;
  readonly sound: boolean;
  readonly config: Nvlist;
  readonly pool: bigint;
  readonly name: ByteString;
  readonly guid: bigint;
  readonly version: number;
  readonly txg: number;
  readonly state: number;
  readonly tree: Nvlist;
}

/** Places of the labels, two at the front and two at the end of what is whole labels. */
export function labelPlaces(source: BlockSource): number[] {
  const end = Math.floor(source.size / LABEL_SIZE) * LABEL_SIZE;
  if (end < 4 * LABEL_SIZE) return [];
  return [0, LABEL_SIZE, end - 2 * LABEL_SIZE, end - LABEL_SIZE];
}

/**
 * Whether the SHA-256 at the end of `bytes` is right; it is of all of them, with the verifier in the checksum's place.
 * @returns undefined where there is no such checksum
 */
export function embeddedSum(bytes: Buffer, verifier: readonly [bigint, bigint, bigint]): boolean | undefined {
  const at = bytes.length - ECK_SIZE;
  const big = bytes.readUInt32BE(at) === ECK_MAGIC.high && bytes.readUInt32BE(at + 4) === ECK_MAGIC.low;
  const block: Block = { bytes, big };
  if (high(block, at) !== ECK_MAGIC.high || low(block, at) !== ECK_MAGIC.low) return undefined;
  const told: Words = Uint32Array.from({ length: 8 }, (_, i) =>
    i % 2 ? low(block, at + 8 + 4 * (i - 1)) : high(block, at + 8 + 4 * i),
  );
  const data = Buffer.from(bytes);
  for (const [i, word] of [...verifier, 0n].entries())
    if (big) data.writeBigUInt64BE(word, at + 8 + 8 * i);
    else data.writeBigUInt64LE(word, at + 8 + 8 * i);
  return sameWords(sha256(data), told);
}

function labelAt(source: BlockSource, at: number, index: number, ctx: Context): Label | undefined {
  try {
    const bytes = readBytes(source, at + NVLIST_AT, NVLIST_SIZE, ctx);
    const sound = embeddedSum(bytes, [BigInt(at + NVLIST_AT), 0n, 0n]);
    if (sound === undefined) return undefined;
    const config = nvlist(bytes.subarray(0, NVLIST_SIZE - ECK_SIZE), ctx);
    const pool = identifier(config, 'pool_guid');
    const name = textOf(config, 'name');
    const guid = identifier(config, 'guid');
    const version = count(config, 'version');
    const tree = listOf(config, 'vdev_tree');
    // Spares and caches have no pool in their labels.
    if (pool === undefined || name === undefined || guid === undefined || version === undefined || !tree)
      return undefined;
    return {
      index,
      sound,
      config,
      pool,
      name,
      guid,
      version,
      tree,
      txg: count(config, 'txg') ?? 0,
      state: count(config, 'state') ?? 0,
    };
  } catch (error) {
    // One of four copies; whoever finds none says so.
    if (!(error instanceof GuestError) || error.code === 'limit') throw error;
    return undefined;
  }
}

/** The best of a source's labels: right checksum, newest, at the front. */
export function bestLabel(source: BlockSource, ctx: Context): Label | undefined {
  let best: Label | undefined;
  for (const [index, at] of labelPlaces(source).entries()) {
    // The copies at the end are for members whose beginning was overwritten.
    if (index === 2 && best?.sound) break;
    const label = labelAt(source, at, index, ctx);
    if (!label) continue;
    if (!best || (label.sound && !best.sound) || (label.sound === best.sound && label.txg > best.txg))
      best = label;
  }
  return best;
}

export interface Uberblock {
  readonly version: number;
  readonly txg: number;
  readonly timestamp: number;
  readonly big: boolean;
  readonly root: BlockPointer;
}

interface Slot {
  readonly source: BlockSource;
  readonly at: number;
  readonly bytes: Buffer;
  readonly txg: number;
  readonly timestamp: number;
  readonly big: boolean;
}

/** Uberblocks of all labels of the members, newest first; those whose checksums are wrong are passed over. */
export function* uberblocks(
  members: readonly { readonly source: BlockSource; readonly ashift: number }[],
  ctx: Context,
): Generator<Uberblock> {
  const slots: Slot[] = [];
  const layouts: Record<'big' | 'little', Structures> = { big: structures(true), little: structures(false) };
  for (const { source, ashift } of members) {
    const size = 2 ** Math.min(SLOT_SHIFT.most, Math.max(SLOT_SHIFT.least, ashift));
    for (const label of labelPlaces(source)) {
      let ring: Buffer;
      try {
        ring = readBytes(source, label + UBERBLOCKS_AT, UBERBLOCKS_SIZE, ctx);
      } catch (error) {
        if (!(error instanceof GuestError) || error.code === 'limit') throw error;
        continue;
      }
      for (let at = 0; at < ring.length; at += size) {
        ctx.budget.step();
        const bytes = ring.subarray(at, at + size);
        const big = bytes.readUInt32BE(4) === UBERBLOCK_MAGIC;
        if (!big && bytes.readUInt32LE(0) !== UBERBLOCK_MAGIC) continue;
        const { ub_txg, ub_timestamp } = layouts[big ? 'big' : 'little'].Uberblock.fields;
        try {
          const txg = ub_txg.read(bytes, 0);
          const timestamp = ub_timestamp.read(bytes, 0);
          slots.push({ source, at: label + UBERBLOCKS_AT + at, bytes, txg, timestamp, big });
        } catch (error) {
          // Numbers beyond 2^53: no uberblock.
          if (!(error instanceof GuestError)) throw error;
        }
      }
    }
  }
  slots.sort((a, b) => b.txg - a.txg || b.timestamp - a.timestamp);
  let last: Slot | undefined;
  for (const slot of slots) {
    ctx.budget.step();
    if (last?.txg === slot.txg && last.timestamp === slot.timestamp) continue;
    if (embeddedSum(slot.bytes, [BigInt(slot.at), 0n, 0n]) !== true) continue;
    const { txg, timestamp, big, bytes } = slot;
    let root: BlockPointer | undefined;
    let version: number;
    try {
      version = layouts[big ? 'big' : 'little'].Uberblock.fields.ub_version.read(bytes, 0);
      root = blockPointer({ bytes, big }, 40);
    } catch (error) {
      if (!(error instanceof GuestError)) throw error;
      continue;
    }
    if (!root) continue;
    last = slot;
    yield { version, txg, timestamp, big, root };
  }
}
