/** Chunks: where the logical addresses of everything are on the devices. Source: Linux, fs/btrfs/volumes.c. */
import { corrupt, unsupported } from '../../lib/bytes/errors';
import { BLOCK_GROUP, BLOCK_GROUP_KINDS, BLOCK_GROUP_PROFILES, Chunk, STRIPE_LEN, Stripe } from './layout';

export interface ChunkStripe {
  readonly devid: number;
  readonly deviceUuid: string;
  readonly offset: number;
}

export type Layout =
  /** Each stripe is a whole copy. */
  | { readonly kind: 'copies' }
  /** Stripes by turns, each of them `copies` times. */
  | { readonly kind: 'striped'; readonly copies: number }
  | { readonly kind: 'parity'; readonly parities: number };

export interface ChunkMap {
  readonly start: number;
  readonly length: number;
  readonly profile: string;
  readonly layout: Layout;
  readonly data: boolean;
  readonly stripes: readonly ChunkStripe[];
}

interface Profile {
  readonly name: string;
  readonly least: number;
  readonly most: number;
  readonly layout: Layout;
}

const MANY = 0xffff;
const profiles: ReadonlyMap<bigint, Profile> = new Map([
  [0n, { name: 'single', least: 1, most: 1, layout: { kind: 'copies' } }],
  [BLOCK_GROUP.dup, { name: 'dup', least: 2, most: 2, layout: { kind: 'copies' } }],
  [BLOCK_GROUP.raid1, { name: 'raid1', least: 2, most: 2, layout: { kind: 'copies' } }],
  [BLOCK_GROUP.raid1c3, { name: 'raid1c3', least: 3, most: 3, layout: { kind: 'copies' } }],
  [BLOCK_GROUP.raid1c4, { name: 'raid1c4', least: 4, most: 4, layout: { kind: 'copies' } }],
  [BLOCK_GROUP.raid0, { name: 'raid0', least: 1, most: MANY, layout: { kind: 'striped', copies: 1 } }],
  [BLOCK_GROUP.raid10, { name: 'raid10', least: 2, most: MANY, layout: { kind: 'striped', copies: 2 } }],
  [BLOCK_GROUP.raid5, { name: 'raid5', least: 2, most: MANY, layout: { kind: 'parity', parities: 1 } }],
  [BLOCK_GROUP.raid6, { name: 'raid6', least: 3, most: MANY, layout: { kind: 'parity', parities: 2 } }],
]);

/** Bytes of the chunk item that stands at `at`. */
export function chunkSize(bytes: Buffer, at: number): number {
  return Chunk.size + Chunk.read(bytes, at).num_stripes * Stripe.size;
}

/** @throws GuestError `corrupt`, `unsupported` */
export function readChunk(
  start: number,
  bytes: Buffer,
  at: number,
  end: number,
  stripeTree: boolean,
): ChunkMap {
  const chunk = Chunk.read(bytes, at);
  const where = `chunk ${start}`;
  if (!Number.isSafeInteger(start) || start < 0) throw corrupt('a chunk beyond 2^53');
  const count = chunk.num_stripes;
  if (count === 0 || at + Chunk.size + count * Stripe.size > end) throw corrupt(`${count} stripes`, where);
  const profile = profiles.get(chunk.type & BLOCK_GROUP_PROFILES);
  const unknown = chunk.type & ~(BLOCK_GROUP_KINDS | BLOCK_GROUP_PROFILES);
  if (unknown) throw unsupported(`block groups of type 0x${chunk.type.toString(16)}`, where);
  if (!profile) throw corrupt(`type 0x${chunk.type.toString(16)}`, where);
  if (count < profile.least || count > profile.most)
    throw corrupt(`${profile.name} of ${count} stripes`, where);
  if (chunk.length === 0 || !Number.isSafeInteger(start + chunk.length))
    throw corrupt(`${chunk.length} bytes long`, where);
  const { layout } = profile;
  if (layout.kind !== 'copies') {
    if (chunk.stripe_len !== STRIPE_LEN) throw corrupt(`stripes of ${chunk.stripe_len} bytes`, where);
    if (layout.kind === 'striped' && count % layout.copies !== 0)
      throw corrupt(`${profile.name} of ${count} stripes`, where);
    if (profile.name === 'raid10' && chunk.sub_stripes !== 2)
      throw corrupt(`raid10 of ${chunk.sub_stripes} copies`, where);
  }
  const kind = chunk.type & BLOCK_GROUP_KINDS;
  // With it, places are in a tree of their own, for data alone (fs/btrfs/raid-stripe-tree.h).
  if (stripeTree && kind === BLOCK_GROUP.data && !['single', 'raid5', 'raid6'].includes(profile.name))
    throw unsupported(
      `btrfs feature raid-stripe-tree, in which the places of ${profile.name} data are`,
      where,
    );
  const stripes: ChunkStripe[] = [];
  for (let i = 0; i < count; i++) {
    const stripe = Stripe.read(bytes, at + Chunk.size + i * Stripe.size);
    stripes.push({ devid: stripe.devid, offset: stripe.offset, deviceUuid: stripe.dev_uuid.toString('hex') });
  }
  return {
    start,
    length: chunk.length,
    profile: profile.name,
    layout,
    data: kind === BLOCK_GROUP.data,
    stripes,
  };
}
