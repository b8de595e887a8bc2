/**
 * Certificates (RFC 5280), read by our own cursor, and the way from a signer to a certificate that the admin trusts.
 *
 * Times are not looked at, as UEFI's firmware does not: a kernel that was signed once must boot after its certificate's end.
 * Names are compared byte by byte. Revocation lists are not read.
 */
import { corrupt, GuestError, unsupported } from '../../bytes/errors';
import {
  type PublicNumbers,
  readPublicKey,
  readSignatureAlgorithm,
  type SignatureAlgorithm,
  verifies,
} from './algorithms';
import { Der, TAG, whole } from './der';

export interface Certificate {
  /** All of it. */
  readonly raw: Buffer;
  /** What its issuer has signed. */
  readonly signed: Buffer;
  readonly serial: Buffer;
  /** Encoded names. */
  readonly issuer: Buffer;
  readonly subject: Buffer;
  readonly key: PublicNumbers;
  readonly algorithm: SignatureAlgorithm;
  readonly signature: Buffer;
  /** basicConstraints; undefined where there are none. */
  readonly ca: boolean | undefined;
  /** CA certificates that may follow below this one. */
  readonly pathLength: number | undefined;
  /** Bits of keyUsage, the first byte; undefined: for anything. */
  readonly usage: number | undefined;
  /** extKeyUsage; undefined: for anything. */
  readonly purposes: readonly string[] | undefined;
  readonly subjectKeyId: Buffer | undefined;
  /** A critical extension that is not known here: the certificate then proves nothing. */
  readonly unknown: string | undefined;
}

const EXTENSION = {
  subjectKeyId: '551d0e',
  keyUsage: '551d0f',
  subjectAltName: '551d11',
  basicConstraints: '551d13',
  policies: '551d20',
  extKeyUsage: '551d25',
};
const DIGITAL_SIGNATURE = 0x80;
const KEY_CERT_SIGN = 0x04;
const CODE_SIGNING = '2b06010505070303';
const ANY_PURPOSE = '551d2500';

const MOST_EXTENSIONS = 64;
const MOST_PURPOSES = 64;
/** CA certificates between the signer and the trusted one. */
const MOST_LINKS = 8;
/** Issuers tried in all: names that all agree would make ways without number. */
const MOST_TRIES = 200;

/** @throws GuestError */
export function readCertificate(raw: Buffer, what: string): Certificate {
  const outer = whole(raw, TAG.sequence, what);
  const tbs = outer.read(TAG.sequence);
  const before = outer.rest;
  const algorithm = readSignatureAlgorithm(outer);
  const named = before.subarray(0, before.length - outer.rest.length);
  const signature = outer.bits();
  outer.end();
  const der = new Der(tbs.content, what);
  der.optional(TAG.context(0));
  const serial = der.read(TAG.integer).content;
  if (!der.read(TAG.sequence).raw.equals(named)) throw corrupt(`${what}: names two algorithms`);
  const issuer = der.read(TAG.sequence).raw;
  der.read(TAG.sequence);
  const subject = der.read(TAG.sequence).raw;
  const key = readPublicKey(der);
  der.optional(TAG.primitive(1));
  der.optional(TAG.primitive(2));
  const extensions = der.optional(TAG.context(3));
  der.end();
  if (algorithm.hash === undefined) throw unsupported(`${what}: signed with an unnamed hash`);
  return {
    raw,
    signed: tbs.raw,
    serial,
    issuer,
    subject,
    key,
    algorithm,
    signature,
    ...readExtensions(extensions?.content, what),
  };
}

type Extensions = Pick<Certificate, 'ca' | 'pathLength' | 'usage' | 'purposes' | 'subjectKeyId' | 'unknown'>;

function readExtensions(bytes: Buffer | undefined, what: string): Extensions {
  let ca: boolean | undefined;
  let pathLength: number | undefined;
  let usage: number | undefined;
  let purposes: string[] | undefined;
  let subjectKeyId: Buffer | undefined;
  let unknown: string | undefined;
  const list = bytes === undefined ? undefined : whole(bytes, TAG.sequence, what);
  const seen = new Set<string>();
  while (list?.more) {
    const extension = list.into(TAG.sequence);
    const oid = extension.oid();
    const critical = extension.tag === TAG.boolean && extension.boolean();
    const value = extension.read(TAG.octetString).content;
    extension.end();
    if (seen.has(oid)) throw corrupt(`${what}: an extension twice`);
    if (seen.add(oid).size > MOST_EXTENSIONS)
      throw corrupt(`${what}: more than ${MOST_EXTENSIONS} extensions`);
    switch (oid) {
      case EXTENSION.basicConstraints: {
        const der = whole(value, TAG.sequence, what);
        ca = der.tag === TAG.boolean && der.boolean();
        if (der.more) {
          const number = der.unsigned(2);
          pathLength = number.length === 0 ? 0 : number.readUIntBE(0, number.length);
        }
        der.end();
        break;
      }
      case EXTENSION.keyUsage: {
        const { content } = new Der(value, what).read(TAG.bitString);
        usage = content[1] ?? 0;
        break;
      }
      case EXTENSION.extKeyUsage: {
        const der = whole(value, TAG.sequence, what);
        purposes = [];
        while (der.more) {
          if (purposes.push(der.oid()) > MOST_PURPOSES)
            throw corrupt(`${what}: more than ${MOST_PURPOSES} purposes`);
        }
        break;
      }
      case EXTENSION.subjectKeyId:
        subjectKeyId = new Der(value, what).read(TAG.octetString).content;
        break;
      case EXTENSION.subjectAltName:
      case EXTENSION.policies:
        break;
      default:
        if (critical) unknown ??= oid;
    }
  }
  return { ca, pathLength, usage, purposes, subjectKeyId, unknown };
}

/** Which certificate has signed: by issuer and serial number, or by the identifier of its key. */
export type SignerId =
  | { readonly issuer: Buffer; readonly serial: Buffer }
  | { readonly subjectKeyId: Buffer };

const isSigner = (certificate: Certificate, id: SignerId): boolean =>
  'issuer' in id
    ? certificate.issuer.equals(id.issuer) && certificate.serial.equals(id.serial)
    : certificate.subjectKeyId?.equals(id.subjectKeyId) === true;

/** Why this certificate may not sign certificates, or undefined. @param below CA certificates below it on the way */
function unfitIssuer(issuer: Certificate, below: number): string | undefined {
  if (issuer.unknown !== undefined) return `a critical extension (${issuer.unknown}) that is not known`;
  if (issuer.ca !== true) return 'it is no CA';
  if (issuer.usage !== undefined && !(issuer.usage & KEY_CERT_SIGN)) return 'its key is not for certificates';
  if (issuer.pathLength !== undefined && below > issuer.pathLength) return 'its path length';
  return undefined;
}

function unfitSigner(signer: Certificate): string | undefined {
  if (signer.unknown !== undefined) return `a critical extension (${signer.unknown}) that is not known`;
  if (signer.usage !== undefined && !(signer.usage & DIGITAL_SIGNATURE))
    return 'its key is not for signatures';
  const { purposes } = signer;
  if (purposes && !purposes.includes(CODE_SIGNING) && !purposes.includes(ANY_PURPOSE))
    return 'it is not for signing code';
  return undefined;
}

/**
 * The signer's key, if a trusted certificate vouches for it: by being that very certificate, or through CA certificates.
 * Signatures are checked from the trusted one downwards, so that no key is used before somebody trusted has signed it.
 * @param others those that came with the signature
 * @throws GuestError that says why not
 */
export function trustedSigner(
  id: SignerId,
  trusted: readonly Certificate[],
  others: readonly Certificate[],
): Certificate {
  const pinned = trusted.find((certificate) => isSigner(certificate, id));
  if (pinned) return pinned;
  let why = 'its certificate is neither trusted nor with it';
  let tries = 0;
  const climb = (way: readonly Certificate[]): Certificate | undefined => {
    const [top] = way;
    for (const issuers of [trusted, others]) {
      for (const issuer of issuers) {
        if (!issuer.subject.equals(top!.issuer) || way.includes(issuer)) continue;
        if (++tries > MOST_TRIES)
          throw new GuestError('limit', `more than ${MOST_TRIES} ways to a trusted certificate`);
        const unfit = unfitIssuer(issuer, way.length - 1);
        if (unfit !== undefined) {
          why = `its issuer cannot vouch for it: ${unfit}`;
          continue;
        }
        if (issuers === trusted) {
          if (holds([issuer, ...way])) return way[way.length - 1];
          why = 'a signature on the way to the trusted certificate is wrong';
        } else if (way.length < MOST_LINKS) {
          const found = climb([issuer, ...way]);
          if (found) return found;
        }
      }
    }
    return undefined;
  };
  for (const signer of others) {
    if (!isSigner(signer, id)) continue;
    const unfit = unfitSigner(signer);
    if (unfit !== undefined) {
      why = `its certificate: ${unfit}`;
      continue;
    }
    why = 'no trusted certificate vouches for it';
    const found = climb([signer]);
    if (found) return found;
  }
  throw new GuestError('unsupported', why);
}

/** Has each signed the next? From the trusted one on. */
function holds(way: readonly Certificate[]): boolean {
  for (let i = 0; i + 1 < way.length; i++) {
    const { key } = way[i]!;
    const { algorithm, signed, signature } = way[i + 1]!;
    if (key.kind !== algorithm.kind || algorithm.hash === undefined) return false;
    if (!verifies(key, algorithm.hash, (update) => update(signed), signature)) return false;
  }
  return true;
}

/** Armour of RFC 7468. */
const PEM = /-----BEGIN ([A-Z0-9 ]+)-----\s*([A-Za-z0-9+/=\s]*?)-----END \1-----/g;

/** What a PEM file holds, by label. */
export function pemBlocks(text: string): { label: string; bytes: Buffer }[] {
  return [...text.matchAll(PEM)].map(([, label, base64]) => ({
    label: label!,
    bytes: Buffer.from(base64!, 'base64'),
  }));
}
