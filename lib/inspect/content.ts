/** What one volume holds: a filesystem, a part of something larger, something that is named and not read, nothing. */
import { bytesAt, drivers } from '../../fsdrivers';
import type { Volume } from '../boot/guest';
import type { Context } from '../bytes/budget';
import { GuestError } from '../bytes/errors';
import { toUnicode } from '../bytes/text';
import type { BlockSource } from '../source/types';
import { type LuksHeader, readHeader } from '../volume/luks/header';
import { luksVersion } from '../volume/luks/magic';
import type { Content } from './document';
import { namedContent } from './magics';
import { sizeOf } from './sizes';

const MIB = 1 << 20;
/** Places of 4 KiB that are looked at before a volume is called empty, besides its first MiB. */
const SAMPLES = 16;

export const NOTHING: Content = {
  kind: 'unknown',
  type: null,
  name: 'nothing that is known',
  uuid: null,
  label: null,
  size: null,
  problem: null,
};

/** What is known of the sets that volumes are parts of (sets.ts). */
export interface Memberships {
  /** Of a volume that is an array's member: UUID and name of the array. */
  array(volume: Volume): { uuid: string; name: string } | undefined;
  /** Of a physical volume: its UUID, and the group's name if that is known. */
  group(volume: Volume): { uuid: string; name: string | null } | undefined;
}

/**
 * @param whole a disk image as a whole
 * @param ctx whose warnings are not heard: what is damaged has been told when it was looked at for booting
 */
export function contentOf(volume: Volume, sets: Memberships, whole: boolean, ctx: Context): Content {
  const { source } = volume;
  try {
    return (
      closed(source, whole, ctx) ??
      member(volume, sets) ??
      filesystem(volume, ctx) ??
      named(source, whole) ??
      amorphous(source, ctx)
    );
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    return { ...NOTHING, problem: error.describe() };
  }
}

/** Of a disk that has a table: only what makes sense there. */
export function contentBesideTable(volume: Volume, sets: Memberships, ctx: Context): Content | null {
  const content = contentOf(volume, sets, false, ctx);
  if (content.kind === 'filesystem' && content.problem === null) return content;
  return content.kind === 'lvm' || content.kind === 'raid' || content.type === 'LDM' ? content : null;
}

/** What is encrypted; before filesystems, as some of it looks like one. */
function closed(source: BlockSource, whole: boolean, ctx: Context): Content | undefined {
  const version = luksVersion(source);
  if (version !== undefined) {
    let header: LuksHeader | undefined;
    let problem: string | null = null;
    try {
      header = readHeader(source, ctx);
    } catch (error) {
      if (!(error instanceof GuestError)) throw error;
      problem = error.describe();
    }
    return {
      ...NOTHING,
      kind: 'encrypted',
      type: 'crypto_LUKS',
      name: `LUKS${version}, encrypted`,
      uuid: header ? toUnicode(header.uuid) : luksText(source, 168, 40),
      label: version === 2 ? luksText(source, 24, 48) : null,
      problem,
    };
  }
  const found = namedContent(source, whole, true);
  return found && fromName(found, source);
}

/** Label (LUKS2) and UUID stand at the same place in a damaged header. */
const luksText = (source: BlockSource, at: number, length: number): string | null => {
  const text = bytesAt(source, at, length)
    ?.toString('latin1')
    .replace(/\0[\s\S]*$/, '');
  return text ? toUnicode(text) : null;
};

function member(volume: Volume, sets: Memberships): Content | undefined {
  const array = sets.array(volume);
  if (array)
    return {
      ...NOTHING,
      kind: 'raid',
      type: 'linux_raid_member',
      name: 'member of a Linux RAID',
      uuid: array.uuid,
      label: array.name,
    };
  const group = sets.group(volume);
  if (!group) return undefined;
  return {
    ...NOTHING,
    kind: 'lvm',
    type: 'LVM2_member',
    name: group.name === null ? 'LVM physical volume' : `LVM physical volume of ${group.name}`,
    uuid: group.uuid,
  };
}

function filesystem(volume: Volume, ctx: Context): Content | undefined {
  const { source } = volume;
  try {
    const fs = volume.filesystem();
    if (!fs) return undefined;
    const size = sizeOf(fs.type, source);
    return {
      ...NOTHING,
      kind: 'filesystem',
      type: fs.type,
      name: fs.type,
      uuid: fs.uuid ?? null,
      label: fs.label === undefined || fs.label === '' ? null : toUnicode(fs.label),
      size,
      problem: cutOff(size, source),
    };
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    const probed = probe(source, ctx);
    // A set that is not whole, a RAID of another kind: its message says what.
    if (!probed) return { ...NOTHING, kind: 'other', name: 'not readable', problem: error.describe() };
    const size = sizeOf(probed.type, source);
    const cut = cutOff(size, source);
    return {
      ...NOTHING,
      kind: 'filesystem',
      ...probed,
      name: probed.type,
      size,
      problem: cut === null ? error.describe() : `${error.describe()}; ${cut}`,
    };
  }
}

const cutOff = (size: number | null, source: BlockSource): string | null =>
  size !== null && size > source.size
    ? `it is made for ${size} bytes, the volume has ${source.size}: ${size - source.size} bytes are missing at its end`
    : null;

/** What a driver says of a filesystem that it cannot open. */
function probe(
  source: BlockSource,
  ctx: Context,
): (Pick<Content, 'uuid' | 'label'> & { type: string }) | undefined {
  for (const registered of drivers()) {
    try {
      if (!registered.looksLike(source, ctx)) continue;
      const found = registered.load().probe(source, ctx);
      if (found)
        return {
          type: found.type,
          uuid: found.uuid ?? null,
          label: found.label ? toUnicode(found.label) : null,
        };
    } catch (error) {
      if (!(error instanceof GuestError)) throw error;
    }
  }
  return undefined;
}

function named(source: BlockSource, whole: boolean): Content | undefined {
  const found = namedContent(source, whole);
  return found && fromName(found, source);
}

function fromName(found: NonNullable<ReturnType<typeof namedContent>>, source: BlockSource): Content {
  const label = found.label?.(source);
  const size = found.size?.(source) ?? sizeOf(found.type, source);
  return {
    kind: found.kind,
    type: found.type,
    name: found.name,
    uuid: found.uuid?.(source) ?? null,
    label: label === undefined ? null : toUnicode(label),
    size,
    problem: cutOff(size, source),
  };
}

/** Nothing has a magic number there: zeros, or bytes that look drawn at random, or others. */
function amorphous(source: BlockSource, ctx: Context): Content {
  const head = bytesAt(source, 0, Math.min(MIB, source.size))!;
  ctx.budget.read(head.length);
  const zero = (bytes: Buffer | undefined) => !bytes || bytes.every((byte) => byte === 0);
  let empty = zero(head);
  for (let i = 1; empty && i <= SAMPLES; i++) {
    ctx.budget.step();
    ctx.budget.read(4096);
    const at = Math.floor(((source.size / SAMPLES) * i) / 4096) * 4096 - 4096;
    if (at > 0) empty = zero(bytesAt(source, at, Math.min(4096, source.size - at)));
  }
  if (empty) return { ...NOTHING, kind: 'empty', name: 'empty (zeros, wherever it was looked at)' };
  if (head.length >= 65536 && bitsPerByte(head.subarray(0, 65536)) > 7.99)
    return {
      ...NOTHING,
      name: 'bytes that look drawn at random: encrypted without a header (or with a detached one), or overwritten',
    };
  if (zero(head)) return { ...NOTHING, name: 'nothing that is known; its first MiB is zeros' };
  return NOTHING;
}

/** Shannon's entropy; 65,536 random bytes have 7.997. */
function bitsPerByte(bytes: Buffer): number {
  const counts = new Uint32Array(256);
  for (const byte of bytes) counts[byte] = counts[byte]! + 1;
  let bits = 0;
  for (const count of counts) {
    const share = count / bytes.length;
    if (count > 0) bits -= share * Math.log2(share);
  }
  return bits;
}
