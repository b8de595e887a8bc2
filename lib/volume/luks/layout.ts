/**
 * On-disk structures of LUKS1 ("LUKS1 On-Disk Format Specification", version 1.2.3) and LUKS2 ("LUKS2 On-Disk Format
 * Specification", version 1.1.3). All numbers are big-endian. What LUKS2 keeps in JSON is read in header.ts.
 */
import { bytes, struct, text, u16be, u32be, u64be } from '../../bytes/struct';

export const MAGIC = 'LUKS\xba\xbe';
/** Of LUKS2's second header. */
export const MAGIC_2ND = 'SKUL\xba\xbe';

/** `struct luks_phdr` without its key slots. */
export const Phdr = struct('luks_phdr', 208, {
  magic: text(0, 6),
  version: u16be(6),
  cipherName: text(8, 32),
  cipherMode: text(40, 32),
  hashSpec: text(72, 32),
  /** 512-byte sectors. */
  payloadOffset: u32be(104),
  keyBytes: u32be(108),
  mkDigest: bytes(112, 20),
  mkDigestSalt: bytes(132, 32),
  mkDigestIterations: u32be(164),
  uuid: text(168, 40),
});
export const PHDR_SLOTS = 8;

/** `struct luks_phdr.keyblock[]`, from 208 on. */
export const KeyBlock = struct('keyblock', 48, {
  active: u32be(0),
  passwordIterations: u32be(4),
  passwordSalt: bytes(8, 32),
  /** 512-byte sectors. */
  keyMaterialOffset: u32be(40),
  stripes: u32be(44),
});
export const SLOT_ENABLED = 0x00ac71f3;

/** `struct luks2_hdr_disk`: the first 512 of 4,096 bytes, of which the rest is zero; the JSON area follows. */
export const Hdr2 = struct('luks2_hdr_disk', 512, {
  magic: text(0, 6),
  version: u16be(6),
  /** Bytes of this structure and its JSON area. */
  hdr_size: u64be(8),
  seqid: u64be(16),
  label: text(24, 48),
  checksum_alg: text(72, 32),
  uuid: text(168, 40),
  hdr_offset: u64be(256),
  csum: bytes(448, 64),
});
export const HDR2_BYTES = 4096;
/** The sizes that the specification allows, of which each is a place for the second header (3.1, "LUKS2 header sizes"). */
export const HDR2_SIZES = [0x4000, 0x8000, 0x10000, 0x20000, 0x40000, 0x80000, 0x100000, 0x200000, 0x400000];

/** Tokens of a LUKS2's JSON (brackets, commas, colons): 32 key slots with all their tokens have about 2,500. */
export const MAX_JSON_TOKENS = 20_000;
/** Nesting of a LUKS2's JSON; the specification's objects reach 5. */
export const MAX_JSON_DEPTH = 16;
/** Key slots, digests and segments (cryptsetup's LUKS2_KEYSLOTS_MAX, LUKS2_DIGEST_MAX, LUKS2_SEGMENT_MAX). */
export const MAX_OBJECTS = 32;
/** Bytes of a volume key; cryptsetup makes none above 64 without being asked, and none above 512. */
export const MAX_KEY_BYTES = 512;
/** Bytes of one slot's key material: 4,000 stripes, which both specifications name, of the largest key. */
export const MAX_MATERIAL = 4000 * MAX_KEY_BYTES;
/** Bytes of a salt or digest in JSON; cryptsetup writes 32 or 64. */
export const MAX_SALT = 512;
