/** The headers of LUKS1 and LUKS2, checked, as one plain shape. */
import type { Context } from '../../bytes/budget';
import { corrupt, GuestError, unsupported, within } from '../../bytes/errors';
import { printable } from '../../bytes/text';
import { type BlockSource, readBytes } from '../../source/types';
import { hashOf } from './hash';
import {
  bytesIn,
  type JsonObject,
  longIn,
  numbered,
  objectIn,
  parseBounded,
  textIn,
  textsIn,
  wholeIn,
} from './json';
import {
  HDR2_BYTES,
  HDR2_SIZES,
  Hdr2,
  KeyBlock,
  MAGIC,
  MAGIC_2ND,
  MAX_KEY_BYTES,
  MAX_MATERIAL,
  MAX_SALT,
  PHDR_SLOTS,
  Phdr,
  SLOT_ENABLED,
} from './layout';

/** How a passphrase becomes the key of a slot's key material. */
export type Derivation =
  | { readonly type: 'pbkdf2'; readonly hash: string; readonly salt: Buffer; readonly iterations: number }
  | {
      readonly type: 'argon2i' | 'argon2id';
      readonly salt: Buffer;
      readonly passes: number;
      /** KiB. */
      readonly memory: number;
      readonly lanes: number;
    };

export interface KeySlot {
  readonly id: string;
  /** Bytes of the volume key. */
  readonly keySize: number;
  readonly derivation: Derivation;
  /** The anti-forensic splitter's. */
  readonly stripes: number;
  readonly splitHash: string;
  /** Byte in the header device at which the key material begins. */
  readonly offset: number;
  /** `aes-xts-plain64`, and the bytes of its key. */
  readonly encryption: string;
  readonly areaKeySize: number;
}

/** What a volume key must hash to. */
export interface KeyDigest {
  readonly hash: string;
  readonly salt: Buffer;
  readonly iterations: number;
  readonly digest: Buffer;
}

export interface Segment {
  /** Byte of the data device. */
  readonly offset: number;
  /** Bytes; undefined: to the end of the device. */
  readonly size: number | undefined;
  readonly encryption: string;
  readonly sectorSize: number;
  /** Added to the number of each 512-byte sector. */
  readonly ivTweak: number;
}

export interface LuksHeader {
  readonly version: 1 | 2;
  /** As written, with dashes. A byte string. */
  readonly uuid: string;
  /** In the order in which they are to be tried. */
  readonly slots: readonly KeySlot[];
  readonly digest: KeyDigest;
  readonly segment: Segment;
}

/**
 * The header on `source`, or undefined where there is none.
 * @param lost look for the second header of a LUKS2 whose first one is gone, as cryptsetup does: 9 reads
 * @throws GuestError `corrupt`, `unsupported`, `limit`
 */
export function readHeader(source: BlockSource, ctx: Context, lost = false): LuksHeader | undefined {
  if (source.size < Phdr.size) return undefined;
  const start = readBytes(source, 0, Phdr.size, ctx);
  const { magic, version } = Phdr.read(start);
  if (magic === MAGIC && version === 1) return within('luks1', () => readVersion1(source, ctx));
  if (magic !== MAGIC && !(lost && HDR2_SIZES.some((at) => isSecond(source, at, ctx)))) return undefined;
  if (magic !== MAGIC) return within('luks2', () => readVersion2(source, ctx));
  if (version !== 2) throw unsupported(`version ${version}`, 'luks');
  return within('luks2', () => readVersion2(source, ctx));
}

function materialSize(keySize: number, stripes: number, what: string): void {
  if (keySize < 1 || keySize > MAX_KEY_BYTES)
    throw corrupt(`${what}: a key of ${keySize} bytes, at most ${MAX_KEY_BYTES}`);
  if (stripes < 1 || keySize * stripes > MAX_MATERIAL)
    throw corrupt(`${what}: ${stripes} stripes of ${keySize} bytes, at most ${MAX_MATERIAL} bytes`);
}

function readVersion1(source: BlockSource, ctx: Context): LuksHeader {
  const block = readBytes(source, 0, Phdr.size + PHDR_SLOTS * KeyBlock.size, ctx);
  const phdr = Phdr.read(block);
  const encryption = `${phdr.cipherName}-${phdr.cipherMode}`;
  const slots: KeySlot[] = [];
  for (let i = 0; i < PHDR_SLOTS; i++) {
    const slot = KeyBlock.read(block, Phdr.size + i * KeyBlock.size);
    if (slot.active !== SLOT_ENABLED) continue;
    materialSize(phdr.keyBytes, slot.stripes, `key slot ${i}`);
    slots.push({
      id: String(i),
      keySize: phdr.keyBytes,
      derivation: {
        type: 'pbkdf2',
        hash: phdr.hashSpec,
        salt: slot.passwordSalt,
        iterations: slot.passwordIterations,
      },
      stripes: slot.stripes,
      splitHash: phdr.hashSpec,
      offset: slot.keyMaterialOffset * 512,
      encryption,
      areaKeySize: phdr.keyBytes,
    });
  }
  return {
    version: 1,
    uuid: phdr.uuid,
    slots,
    digest: {
      hash: phdr.hashSpec,
      salt: phdr.mkDigestSalt,
      iterations: phdr.mkDigestIterations,
      digest: phdr.mkDigest,
    },
    segment: { offset: phdr.payloadOffset * 512, size: undefined, encryption, sectorSize: 512, ivTweak: 0 },
  };
}

interface Copy {
  readonly uuid: string;
  readonly seqid: number;
  /** Bytes: the second copy follows the first. */
  readonly size: number;
  readonly sound: boolean;
  readonly json: JsonObject;
}

/** One of the two copies. @throws GuestError where there is none that could be used */
function readCopy(source: BlockSource, at: number, magic: string, ctx: Context): Copy {
  const hdr = Hdr2.read(readBytes(source, at, Hdr2.size, ctx));
  if (hdr.magic !== magic || hdr.version !== 2) throw corrupt('no header');
  if (!HDR2_SIZES.includes(hdr.hdr_size)) throw corrupt(`header of ${hdr.hdr_size} bytes`);
  if (hdr.hdr_offset !== at) throw corrupt(`header says that it is at ${hdr.hdr_offset}`);
  const all = readBytes(source, at, hdr.hdr_size, ctx);
  const area = all.subarray(HDR2_BYTES);
  const end = area.indexOf(0);
  const text = area.toString('latin1', 0, end < 0 ? area.length : end);
  // The digest is of the whole with its own field as zeros.
  all.fill(0, Hdr2.fields.csum.at, Hdr2.fields.csum.at + 64);
  const digest = hashOf(hdr.checksum_alg, all);
  const sound = hdr.csum.subarray(0, digest.length).equals(digest);
  return { uuid: hdr.uuid, seqid: hdr.seqid, size: hdr.hdr_size, sound, json: parseBounded(text, ctx) };
}

const isSecond = (source: BlockSource, at: number, ctx: Context): boolean =>
  at + Hdr2.size <= source.size && readBytes(source, at, 6, ctx).toString('latin1') === MAGIC_2ND;

function readVersion2(source: BlockSource, ctx: Context): LuksHeader {
  const copies: Copy[] = [];
  let damage: GuestError | undefined;
  const attempt = (at: number, magic: string) => {
    try {
      copies.push(readCopy(source, at, magic, ctx));
    } catch (error) {
      if (!(error instanceof GuestError) || error.code === 'limit') throw error;
      damage ??= error;
    }
  };
  attempt(0, MAGIC);
  // The first header's size says where the second is; where that cannot be trusted, all places are looked at.
  const [first] = copies;
  for (const at of first?.sound ? [first.size] : HDR2_SIZES) {
    ctx.budget.step();
    if (!isSecond(source, at, ctx)) continue;
    attempt(at, MAGIC_2ND);
    if (copies.at(-1)?.sound) break;
  }
  // The newest sound copy; without any, what can be read of them, for the key's digest is verified all the same.
  const sound = copies.filter((copy) => copy.sound).sort((a, b) => b.seqid - a.seqid);
  const copy = sound[0] ?? copies[0];
  if (!copy) throw damage ?? corrupt('no header');
  if (!sound[0]) ctx.warn(`${source.label}: no copy of the LUKS2 header has its checksum, the first is used`);
  else if (sound.length < 2) ctx.warn(`${source.label}: one copy of the LUKS2 header is damaged`);
  return headerOf(copy);
}

function headerOf({ uuid, json }: Copy): LuksHeader {
  const config = objectIn(json, 'config', 'JSON area');
  const requirements = Object.hasOwn(config, 'requirements')
    ? textsIn(objectIn(config, 'requirements', 'config'), 'mandatory')
    : [];
  const [required] = requirements;
  if (requirements.some((word) => /reencrypt/.test(word)))
    throw unsupported(
      `encryption is being changed ('${printable(required!, 40)}'): finish that in the guest`,
    );
  if (required !== undefined) throw unsupported(`needs '${printable(required, 40)}'`);
  const segments = numbered(json, 'segments').filter(
    ([, segment]) => !textsIn(segment, 'flags').some((flag) => flag.startsWith('backup')),
  );
  if (segments.length !== 1) throw unsupported(`${segments.length} segments`);
  const [segmentId, segment] = segments[0]!;
  const digests = numbered(json, 'digests');
  const assigned = digests.find(([, digest]) => textsIn(digest, 'segments').includes(segmentId));
  if (!assigned) throw corrupt(`no digest for segment ${segmentId}`);
  const bound = new Set(textsIn(assigned[1], 'keyslots'));
  const slots = numbered(json, 'keyslots')
    .filter(([id, slot]) => bound.has(id) && priority(slot) > 0)
    .sort((a, b) => priority(b[1]) - priority(a[1]))
    .map(([id, slot]) => slotOf(id, slot));
  return { version: 2, uuid, slots, digest: digestOf(assigned[1]), segment: segmentOf(segment) };
}

/** 2 is tried first, 0 only when somebody names the slot (specification, 3.3 "Keyslots object"). */
const priority = (slot: JsonObject): number =>
  Object.hasOwn(slot, 'priority') ? wholeIn(slot, 'priority', 'key slot', 2) : 1;

function slotOf(id: string, slot: JsonObject): KeySlot {
  const what = `key slot ${id}`;
  const type = textIn(slot, 'type', what);
  if (type !== 'luks2') throw unsupported(`${what} of type '${printable(type, 40)}'`);
  const af = objectIn(slot, 'af', what);
  const area = objectIn(slot, 'area', what);
  if (textIn(af, 'type', what) !== 'luks1') throw unsupported(`${what}: anti-forensic splitter`);
  if (textIn(area, 'type', what) !== 'raw') throw unsupported(`${what}: area`);
  const keySize = wholeIn(slot, 'key_size', what);
  const stripes = wholeIn(af, 'stripes', what);
  materialSize(keySize, stripes, what);
  if (keySize * stripes > longIn(area, 'size', what))
    throw corrupt(
      `${what}: ${stripes} stripes of ${keySize} bytes in an area of ${longIn(area, 'size', what)}`,
    );
  return {
    id,
    keySize,
    derivation: derivationOf(objectIn(slot, 'kdf', what), `${what}: kdf`),
    stripes,
    splitHash: textIn(af, 'hash', what),
    offset: longIn(area, 'offset', what),
    encryption: textIn(area, 'encryption', what),
    areaKeySize: wholeIn(area, 'key_size', what, MAX_KEY_BYTES),
  };
}

function derivationOf(kdf: JsonObject, what: string): Derivation {
  const type = textIn(kdf, 'type', what);
  const salt = bytesIn(kdf, 'salt', what, MAX_SALT);
  if (type === 'pbkdf2')
    return { type, hash: textIn(kdf, 'hash', what), salt, iterations: wholeIn(kdf, 'iterations', what) };
  if (type !== 'argon2i' && type !== 'argon2id') throw unsupported(`${what} '${printable(type, 40)}'`);
  return {
    type,
    salt,
    passes: wholeIn(kdf, 'time', what),
    memory: wholeIn(kdf, 'memory', what),
    lanes: wholeIn(kdf, 'cpus', what, 0xff_ffff),
  };
}

function digestOf(digest: JsonObject): KeyDigest {
  const type = textIn(digest, 'type', 'digest');
  if (type !== 'pbkdf2') throw unsupported(`digest of type '${printable(type, 40)}'`);
  return {
    hash: textIn(digest, 'hash', 'digest'),
    salt: bytesIn(digest, 'salt', 'digest', MAX_SALT),
    iterations: wholeIn(digest, 'iterations', 'digest'),
    digest: bytesIn(digest, 'digest', 'digest', MAX_SALT),
  };
}

function segmentOf(segment: JsonObject): Segment {
  const type = textIn(segment, 'type', 'segment');
  if (type !== 'crypt') throw unsupported(`segment of type '${printable(type, 40)}'`);
  if (Object.hasOwn(segment, 'integrity')) {
    const kind = textIn(objectIn(segment, 'integrity', 'segment'), 'type', 'segment');
    throw unsupported(`integrity protection (${printable(kind, 40)})`);
  }
  const sectorSize = wholeIn(segment, 'sector_size', 'segment');
  if (![512, 1024, 2048, 4096].includes(sectorSize)) throw corrupt(`segment: sectors of ${sectorSize} bytes`);
  const dynamic = segment.size === 'dynamic';
  return {
    offset: longIn(segment, 'offset', 'segment'),
    size: dynamic ? undefined : longIn(segment, 'size', 'segment'),
    encryption: textIn(segment, 'encryption', 'segment'),
    sectorSize,
    ivTweak: longIn(segment, 'iv_tweak', 'segment'),
  };
}
