/**
 * Keys, hashes and signatures. OpenSSL (through node:crypto) is given numbers of checked lengths and bytes to hash, never a
 * guest's ASN.1: its parsers in C see none of the disk.
 *
 * RSA: PKCS #1 v1.5 (RFC 8017). ECDSA: P-256, P-384, P-521 (RFC 5480). Hashes: SHA-256, SHA-384, SHA-512; no SHA-1, no MD5.
 */
import type { KeyObject } from 'node:crypto';
import { corrupt, GuestError, unsupported } from '../../bytes/errors';
import { type Der, TAG, whole } from './der';

export type HashName = 'sha256' | 'sha384' | 'sha512';

export interface SignatureAlgorithm {
  readonly kind: 'rsa' | 'ec';
  /** Undefined: the one that is named elsewhere (`rsaEncryption` in a SignerInfo). */
  readonly hash: HashName | undefined;
}

/** Numbers, checked and not yet a key. */
export type PublicNumbers =
  | { readonly kind: 'rsa'; readonly n: Buffer; readonly e: Buffer }
  | {
      readonly kind: 'ec';
      readonly curve: string;
      readonly size: number;
      readonly x: Buffer;
      readonly y: Buffer;
    };

const HASHES: Readonly<Record<string, HashName>> = {
  '608648016503040201': 'sha256',
  '608648016503040202': 'sha384',
  '608648016503040203': 'sha512',
};

const RSA = '2a864886f70d010101';
const EC = '2a8648ce3d0201';

const SIGNATURES: Readonly<Record<string, SignatureAlgorithm>> = {
  [RSA]: { kind: 'rsa', hash: undefined },
  '2a864886f70d01010b': { kind: 'rsa', hash: 'sha256' },
  '2a864886f70d01010c': { kind: 'rsa', hash: 'sha384' },
  '2a864886f70d01010d': { kind: 'rsa', hash: 'sha512' },
  '2a8648ce3d040302': { kind: 'ec', hash: 'sha256' },
  '2a8648ce3d040303': { kind: 'ec', hash: 'sha384' },
  '2a8648ce3d040304': { kind: 'ec', hash: 'sha512' },
};

const CURVES: Readonly<Record<string, readonly [curve: string, size: number]>> = {
  '2a8648ce3d030107': ['P-256', 32],
  '2b81040022': ['P-384', 48],
  '2b81040023': ['P-521', 66],
};

/** Known ones by name, so that a message says more than digits. */
const NAMES: Readonly<Record<string, string>> = {
  '2b0e03021a': 'SHA-1',
  '2a864886f70d0205': 'MD5',
  '2a864886f70d010105': 'RSA with SHA-1',
  '2a864886f70d010104': 'RSA with MD5',
  '2a864886f70d01010a': 'RSASSA-PSS',
  '2b6570': 'Ed25519',
  '2a8648ce380401': 'DSA',
};

/** 8192 bits. */
const MOST_RSA = 1024;

/** The object identifier of an AlgorithmIdentifier, and its parameters. */
function identifier(der: Der): { oid: string; parameters: Der } {
  const parameters = der.into(TAG.sequence);
  return { oid: parameters.oid(), parameters };
}

/** Absent, or NULL as RFC 3447 has it for RSA. */
function noParameters({ parameters }: { parameters: Der }): void {
  if (parameters.more && parameters.read(TAG.null).content.length > 0)
    throw corrupt(`${parameters.what}: a NULL with content`);
  parameters.end();
}

const named = (oid: string): string => NAMES[oid] ?? `the algorithm ${oid}`;

/** Reads an AlgorithmIdentifier. @throws GuestError `unsupported` */
export function readHash(der: Der): HashName {
  const found = identifier(der);
  const { oid } = found;
  const hash = Object.hasOwn(HASHES, oid) ? HASHES[oid] : undefined;
  if (!hash) throw unsupported(`${der.what}: ${named(oid)} is not accepted`);
  noParameters(found);
  return hash;
}

/** Reads an AlgorithmIdentifier. @throws GuestError `unsupported` */
export function readSignatureAlgorithm(der: Der): SignatureAlgorithm {
  const found = identifier(der);
  const { oid } = found;
  const algorithm = Object.hasOwn(SIGNATURES, oid) ? SIGNATURES[oid] : undefined;
  if (!algorithm) throw unsupported(`${der.what}: ${named(oid)} is not accepted`);
  noParameters(found);
  return algorithm;
}

/** Reads a SubjectPublicKeyInfo. @throws GuestError */
export function readPublicKey(der: Der): PublicNumbers {
  const info = der.into(TAG.sequence);
  const { oid, parameters } = identifier(info);
  const bits = info.bits();
  info.end();
  if (oid === RSA) {
    const key = whole(bits, TAG.sequence, der.what);
    const n = key.unsigned(MOST_RSA);
    const e = key.unsigned(8);
    key.end();
    if (n.length < 128 || e.length === 0)
      throw unsupported(`${der.what}: an RSA key of ${n.length * 8} bits`);
    return { kind: 'rsa', n, e };
  }
  if (oid === EC) {
    const name = parameters.oid();
    const [curve, size] = (Object.hasOwn(CURVES, name) ? CURVES[name] : undefined) ?? [];
    if (!curve || !size) throw unsupported(`${der.what}: the curve ${name} is not accepted`);
    if (bits.length !== 1 + 2 * size || bits[0] !== 4)
      throw unsupported(`${der.what}: a point that is not written in full`);
    return { kind: 'ec', curve, size, x: bits.subarray(1, 1 + size), y: bits.subarray(1 + size) };
  }
  throw unsupported(`${der.what}: a key for ${named(oid)}`);
}

const crypto = () => require('node:crypto') as typeof import('node:crypto');

function keyOf(key: PublicNumbers): KeyObject | undefined {
  const text = (bytes: Buffer) => bytes.toString('base64url');
  try {
    return crypto().createPublicKey({
      format: 'jwk',
      key:
        key.kind === 'rsa'
          ? { kty: 'RSA', n: text(key.n), e: text(key.e) }
          : { kty: 'EC', crv: key.curve, x: text(key.x), y: text(key.y) },
    });
  } catch {
    // A point that is not on its curve.
    return undefined;
  }
}

/** `SEQUENCE { r INTEGER, s INTEGER }` → r and s, each as long as the curve's order. Undefined: cannot be right. */
function rawEc(signature: Buffer, size: number): Buffer | undefined {
  try {
    const der = whole(signature, TAG.sequence, 'ECDSA signature');
    const r = der.unsigned(size);
    const s = der.unsigned(size);
    der.end();
    const raw = Buffer.alloc(2 * size);
    r.copy(raw, size - r.length);
    s.copy(raw, 2 * size - s.length);
    return raw;
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    return undefined;
  }
}

/**
 * Is it the key's signature of the bytes?
 * @param feed gives the bytes that are signed, in order
 */
export function verifies(
  key: PublicNumbers,
  hash: HashName,
  feed: (update: (bytes: Uint8Array) => void) => void,
  signature: Buffer,
): boolean {
  const wanted = key.kind === 'rsa' ? signature : rawEc(signature, key.size);
  if (!wanted || (key.kind === 'rsa' && wanted.length !== key.n.length)) return false;
  const object = keyOf(key);
  if (!object) return false;
  const verify = crypto().createVerify(hash);
  feed((bytes) => void verify.update(bytes));
  try {
    return verify.verify(
      key.kind === 'rsa'
        ? { key: object, padding: 1 /* RSA_PKCS1_PADDING */ }
        : { key: object, dsaEncoding: 'ieee-p1363' },
      wanted,
    );
  } catch {
    // OpenSSL's word for numbers that cannot be (an exponent that is even …).
    return false;
  }
}
