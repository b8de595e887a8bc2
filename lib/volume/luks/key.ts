/** A passphrase or key file's bytes → the volume key, if a key slot opens with them. */
import { pbkdf2Sync, timingSafeEqual } from 'node:crypto';
import type { Context } from '../../bytes/budget';
import { corrupt, GuestError, limit, within } from '../../bytes/errors';
import { variable } from '../../bytes/over';
import { type BlockSource, readBytes } from '../../source/types';
import { argon2 } from './argon2';
import { BATCH, SectorCipher } from './cipher';
import { digestSize, hashName, mergeStripes } from './hash';
import type { Derivation, KeyDigest, KeySlot, LuksHeader } from './header';

/**
 * Work of key derivation, which the guest's header asks for and nothing can interrupt: a unit is an iteration of PBKDF2 for one
 * hash's length, or 1 KiB of Argon2 filled once. Either takes about a microsecond.
 */
export class KeyWork {
  #done = 0;

  /** @param share of the limit: 1 for keys of the admin's, less for those that the guest itself has at hand */
  constructor(readonly share = 1) {}

  /** @throws GuestError `limit` when all of it together is above `keyWork` */
  spend(units: number, ctx: Context): void {
    const most = ctx.budget.limits.keyWork * this.share;
    this.#done += units;
    if (this.#done <= most) return;
    this.#done -= units;
    const before = this.#done > 0 ? ` after ${this.#done}` : '';
    throw limit(
      `key derivation asks for ${units} units of work (iterations, KiB of memory filled)${before}, at most ${most} in all (${variable('keyWork')})`,
    );
  }
}

export interface Opened {
  /** The volume key, the caller's to wipe. */
  readonly key: Buffer;
  readonly slot: string;
}

/**
 * Tries the key slots in order.
 * @param source what the header is on
 * @param secret not kept, the caller's to wipe
 * @returns undefined when no slot opens with it
 * @throws GuestError when no slot opens and one of them could not be tried
 */
export async function openSlots(
  source: BlockSource,
  header: LuksHeader,
  secret: Uint8Array,
  work: KeyWork,
  ctx: Context,
): Promise<Opened | undefined> {
  let problem: GuestError | undefined;
  for (const slot of header.slots) {
    try {
      const key = await openSlot(source, slot, header.digest, secret, work, ctx);
      if (key) return { key, slot: slot.id };
    } catch (error) {
      if (!(error instanceof GuestError)) throw error;
      error.where.unshift(`key slot ${slot.id}`);
      problem ??= error;
    }
  }
  if (problem) throw problem;
  return undefined;
}

async function openSlot(
  source: BlockSource,
  slot: KeySlot,
  digest: KeyDigest,
  secret: Uint8Array,
  work: KeyWork,
  ctx: Context,
): Promise<Buffer | undefined> {
  const size = slot.keySize * slot.stripes;
  // Whole sectors of the key material.
  const material = readBytes(source, slot.offset, Math.ceil(size / 512) * 512, ctx);
  // A step a kilobyte of hashing: 10 µs.
  ctx.budget.step(slot.stripes);
  // All of it before any of it: what is said of a header that asks for hours must not come after an hour.
  work.spend(workOf(slot.derivation, slot.areaKeySize) + digestWork(digest), ctx);
  const areaKey = await derive(secret, slot.derivation, slot.areaKeySize, ctx);
  let key: Buffer | undefined;
  try {
    const cipher = within('key material', () => new SectorCipher(slot.encryption, areaKey));
    for (let at = 0; at < material.length; at += BATCH)
      cipher.decrypt(material.subarray(at, Math.min(at + BATCH, material.length)), at / 512, 512);
    key = mergeStripes(material, slot.keySize, slot.stripes, slot.splitHash);
  } finally {
    areaKey.fill(0);
    material.fill(0);
  }
  if (await fits(key, digest, ctx)) return key;
  key.fill(0);
  return undefined;
}

async function fits(key: Buffer, digest: KeyDigest, ctx: Context): Promise<boolean> {
  const made = await derive(key, derivationOf(digest), digest.digest.length, ctx);
  return timingSafeEqual(made, digest.digest);
}

const derivationOf = ({ hash, salt, iterations }: KeyDigest): Derivation => ({
  type: 'pbkdf2',
  hash,
  salt,
  iterations,
});

const digestWork = (digest: KeyDigest): number => workOf(derivationOf(digest), digest.digest.length);

/** @param length bytes of the key that comes out */
function workOf(how: Derivation, length: number): number {
  if (how.type !== 'pbkdf2') return how.memory * how.passes;
  return how.iterations * Math.ceil(length / digestSize(how.hash));
}

async function derive(secret: Uint8Array, how: Derivation, length: number, ctx: Context): Promise<Buffer> {
  if (length < 1) throw corrupt('a key of no bytes');
  // What the header asks for is bounded by that, and is no parsing.
  ctx.budget.progress(true);
  try {
    if (how.type !== 'pbkdf2') return await argon2(secret, how, length, ctx);
    if (how.iterations < 1) throw corrupt('PBKDF2 without iterations');
    return pbkdf2Sync(secret, how.salt, how.iterations, length, hashName(how.hash));
  } finally {
    excuse(ctx);
  }
}

/** The time since `progress(true)` does not count; that nothing came meanwhile is in the nature of the thing. */
function excuse(ctx: Context): void {
  try {
    ctx.budget.progress(false);
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
  }
}
