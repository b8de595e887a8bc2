/**
 * Signed data of the Cryptographic Message Syntax (RFC 5652; PKCS #7 1.5, RFC 2315, where Authenticode uses it).
 */
import { corrupt, GuestError, limit } from '../../bytes/errors';
import {
  type HashName,
  readHash,
  readSignatureAlgorithm,
  type SignatureAlgorithm,
  verifies,
} from './algorithms';
import { Der, type Element, TAG, whole } from './der';
import { type Certificate, readCertificate, type SignerId, trustedSigner } from './x509';

const SIGNED_DATA = '2a864886f70d010702';
export const DATA = '2a864886f70d010701';
const CONTENT_TYPE = '2a864886f70d010903';
const MESSAGE_DIGEST = '2a864886f70d010904';

const MOST_CERTIFICATES = 32;
const MOST_SIGNERS = 16;
const MOST_ATTRIBUTES = 64;

interface Signer {
  readonly id: SignerId;
  readonly hash: HashName;
  /** What is signed in place of the content: its hash is among them. */
  readonly attributes: Element | undefined;
  readonly algorithm: SignatureAlgorithm;
  readonly signature: Buffer;
}

export interface SignedData {
  /** Object identifier, in hexadecimal digits. */
  readonly contentType: string;
  /** What stands inside `[0]`; absent where the content is elsewhere. */
  readonly content: Buffer | undefined;
  readonly certificates: readonly Certificate[];
  /** How each can be checked, or why it cannot. */
  readonly signers: readonly (Signer | GuestError)[];
}

/** Runs `body`; a GuestError is its value. */
function attempt<T>(body: () => T): T | GuestError {
  try {
    return body();
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    return error;
  }
}

/** @throws GuestError */
export function readSignedData(bytes: Buffer, what: string): SignedData {
  const outer = whole(bytes, TAG.sequence, what);
  if (outer.oid() !== SIGNED_DATA) throw corrupt(`${what}: is not signed data`);
  const explicit = outer.into(TAG.context(0));
  outer.end();
  const der = explicit.into(TAG.sequence);
  explicit.end();
  der.read(TAG.integer);
  const hashes = readHashes(der.into(TAG.set));
  const info = der.into(TAG.sequence);
  const contentType = info.oid();
  const content = info.optional(TAG.context(0))?.content;
  info.end();
  const certificates = der.optional(TAG.context(0));
  der.optional(TAG.context(1));
  const infos = der.into(TAG.set);
  der.end();
  const signers: (Signer | GuestError)[] = [];
  while (infos.more) {
    const one = infos.read(TAG.sequence);
    signers.push(attempt(() => readSigner(one, hashes, what)));
    if (signers.length > MOST_SIGNERS) throw limit(`${what}: more than ${MOST_SIGNERS} signers`);
  }
  return { contentType, content, certificates: readCertificates(certificates?.content, what), signers };
}

/** The hashes that are announced, those that are not known here left out. */
function readHashes(list: Der): Set<HashName> {
  const found = new Set<HashName>();
  for (let count = 0; list.more; ) {
    if (++count > MOST_SIGNERS) throw limit(`${list.what}: more than ${MOST_SIGNERS} hashes`);
    const hash = attempt(() => readHash(list));
    if (typeof hash === 'string') found.add(hash);
  }
  return found;
}

/** Those that can be read: one of a kind that is not known here need not be the one that counts. */
function readCertificates(bytes: Buffer | undefined, what: string): Certificate[] {
  const list = new Der(bytes ?? Buffer.alloc(0), what);
  const found: Certificate[] = [];
  for (let count = 0; list.more; ) {
    if (++count > MOST_CERTIFICATES) throw limit(`${what}: more than ${MOST_CERTIFICATES} certificates`);
    const { raw } = list.any();
    const certificate = attempt(() => readCertificate(raw, what));
    if (!(certificate instanceof GuestError)) found.push(certificate);
  }
  return found;
}

function readSigner(element: Element, hashes: ReadonlySet<HashName>, what: string): Signer {
  const der = new Der(element.content, what);
  der.read(TAG.integer);
  let id: SignerId;
  const keyId = der.optional(TAG.primitive(0));
  if (keyId) id = { subjectKeyId: keyId.content };
  else {
    const name = der.into(TAG.sequence);
    id = { issuer: name.read(TAG.sequence).raw, serial: name.read(TAG.integer).content };
    name.end();
  }
  const hash = readHash(der);
  if (!hashes.has(hash)) throw corrupt(`${what}: a hash that is not announced`);
  const attributes = der.optional(TAG.context(0));
  const algorithm = readSignatureAlgorithm(der);
  const signature = der.read(TAG.octetString).content;
  der.optional(TAG.context(1));
  der.end();
  if (algorithm.hash !== undefined && algorithm.hash !== hash)
    throw corrupt(`${what}: names two hashes, ${hash} and ${algorithm.hash}`);
  return { id, hash, attributes, algorithm, signature };
}

/** The two attributes that must be there, each once and with one value. */
function readAttributes(attributes: Element, what: string): { contentType: string; digest: Buffer } {
  const der = new Der(attributes.content, what);
  const found = new Map<string, Buffer>();
  while (der.more) {
    const attribute = der.into(TAG.sequence);
    const type = attribute.oid();
    const values = attribute.read(TAG.set).content;
    attribute.end();
    if (found.has(type)) throw corrupt(`${what}: an attribute twice`);
    found.set(type, values);
    if (found.size > MOST_ATTRIBUTES) throw limit(`${what}: more than ${MOST_ATTRIBUTES} attributes`);
  }
  const type = new Der(found.get(CONTENT_TYPE) ?? Buffer.alloc(0), what);
  const contentType = type.oid();
  type.end();
  const digest = whole(found.get(MESSAGE_DIGEST) ?? Buffer.alloc(0), TAG.octetString, what).bytes;
  return { contentType, digest };
}

/** What is signed. */
export interface Signed {
  /** The type that the signature must be for. */
  readonly contentType: string;
  digest(hash: HashName): Buffer;
}

/**
 * Checks that one of the signers is trusted and has signed this.
 * @throws GuestError that says why the last of them does not count
 */
export function checkSigned(
  data: SignedData,
  signed: Signed,
  trusted: readonly Certificate[],
  what: string,
): void {
  let why: GuestError = corrupt(`${what}: has no signers`);
  for (const signer of data.signers) {
    const failed =
      signer instanceof GuestError ? signer : attempt(() => checkOne(signer, data, signed, trusted, what));
    if (!failed) return;
    why = failed;
  }
  throw why;
}

function checkOne(
  signer: Signer,
  data: SignedData,
  signed: Signed,
  trusted: readonly Certificate[],
  what: string,
): undefined {
  if (data.contentType !== signed.contentType) throw corrupt(`${what}: signs content of another kind`);
  const { key } = trustedSigner(signer.id, trusted, data.certificates);
  if (key.kind !== signer.algorithm.kind)
    throw corrupt(`${what}: the signer's key is of another kind than the signature`);
  const { attributes } = signer;
  // A signature over bare content could be one over the attributes of another, shown as content.
  if (!attributes) throw corrupt(`${what}: has no signed attributes`);
  const { contentType, digest } = readAttributes(attributes, what);
  if (contentType !== signed.contentType) throw corrupt(`${what}: signs content of another kind`);
  if (!digest.equals(signed.digest(signer.hash))) throw corrupt(`${what}: was made for other content`);
  // Signed with the tag of a SET in place of [0] (RFC 5652, 5.4).
  const feed = (update: (bytes: Uint8Array) => void) => {
    update(Buffer.from([TAG.set]));
    update(attributes.raw.subarray(1));
  };
  if (!verifies(key, signer.hash, feed, signer.signature)) throw corrupt(`${what}: is not the signer's`);
}
