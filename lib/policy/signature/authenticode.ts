/**
 * Authenticode signatures of PE images, as sbsign, pesign and osslsigncode make them for UEFI.
 *
 * Sources: Microsoft, "PE Format" (headers, "The Attribute Certificate Table") and "Windows Authenticode Portable Executable
 * Signature Format" (what is hashed; SpcIndirectDataContent).
 *
 * Hashed is every byte of the file but the checksum, the directory entry of the certificate table, and that table, which must
 * end the file. For an image whose sections lie without gaps this is what the specification hashes section by section; one
 * with gaps, whose bytes that would leave unsigned, does not match: a kernel is loaded as the flat file it is.
 */
import { corrupt, GuestError, limit, unsupported } from '../../bytes/errors';
import type { Content } from '../content';
import { type HashName, readHash } from './algorithms';
import { checkSigned, readSignedData } from './cms';
import { Der, TAG } from './der';
import type { Certificate } from './x509';

const SPC_INDIRECT_DATA = '2b060104018237020104';

const MZ = 0x5a4d;
const PE = 0x4550;
/** Where the data directories and their number stand in the optional header, by its magic (PE32, PE32+). */
const DIRECTORIES: Readonly<Record<number, number>> = { 267: 96, 523: 112 };
const CHECKSUM_AT = 64;
/** The fifth directory. */
const CERTIFICATE_TABLE = 4;
/** WIN_CERTIFICATE: dwLength, wRevision, wCertificateType. */
const CERTIFICATE_HEADER = 8;
const PKCS_SIGNED_DATA = 2;

/** Fedora's kernels have one of 2 kB, twice-signed ones two. */
const MOST_TABLE = 1024 * 1024;
const MOST_SIGNATURES = 16;

export interface PeLayout {
  /** Bytes of the file at which the parts start that are not hashed. */
  readonly checksum: number;
  readonly directory: number;
  /** The certificate table; its end is the file's. */
  readonly table: number;
}

/**
 * Finds what is not hashed.
 * @returns undefined when the file is no PE image
 * @throws GuestError `corrupt`; `unsupported` when it has no signature
 */
export function readLayout(file: Content): PeLayout | undefined {
  const { size } = file;
  if (size < 64) return undefined;
  const dos = file.read(0, 64);
  if (dos.readUInt16LE(0) !== MZ) return undefined;
  const start = dos.readUInt32LE(0x3c);
  const optional = start + 24;
  if (start < 64 || optional + 2 > size) return undefined;
  const head = file.read(start, 26);
  if (head.readUInt32LE(0) !== PE) return undefined;
  const magic = head.readUInt16LE(24);
  const directories = Object.hasOwn(DIRECTORIES, magic) ? DIRECTORIES[magic] : undefined;
  if (directories === undefined) throw corrupt(`optional header's magic is 0x${magic.toString(16)}`, 'PE');
  const length = head.readUInt16LE(20);
  const at = directories + CERTIFICATE_TABLE * 8;
  if (optional + length > size)
    throw corrupt(`headers reach beyond the end of the file (${size} bytes)`, 'PE');
  const none = () => unsupported('carries no signature');
  if (length < at + 8) throw none();
  const header = file.read(optional, at + 8);
  if (header.readUInt32LE(directories - 4) <= CERTIFICATE_TABLE) throw none();
  const table = header.readUInt32LE(at);
  const bytes = header.readUInt32LE(at + 4);
  if (table === 0 || bytes === 0) throw none();
  if (table < optional + length || table + bytes !== size)
    throw corrupt(
      `certificate table of ${bytes} bytes at ${table} does not end the file (${size} bytes)`,
      'PE',
    );
  if (bytes > MOST_TABLE) throw limit(`certificate table of ${bytes} bytes, maximum ${MOST_TABLE}`, 'PE');
  return { checksum: optional + CHECKSUM_AT, directory: optional + at, table };
}

/** The Authenticode hash of the file. */
export function authenticodeDigest(file: Content, layout: PeLayout, hash: HashName): Buffer {
  const { createHash } = require('node:crypto') as typeof import('node:crypto');
  const sum = createHash(hash);
  const update = (bytes: Uint8Array) => void sum.update(bytes);
  file.feed(0, layout.checksum, update);
  file.feed(layout.checksum + 4, layout.directory, update);
  file.feed(layout.directory + 8, layout.table, update);
  return sum.digest();
}

/** The signatures in the table: what follows WIN_CERTIFICATE's header. @throws GuestError */
export function* signatures(file: Content, { table }: PeLayout): Generator<Buffer> {
  let count = 0;
  for (let at = table; at < file.size; ) {
    if (file.size - at < CERTIFICATE_HEADER)
      throw corrupt('certificate table: bytes behind its last entry', 'PE');
    const head = file.read(at, CERTIFICATE_HEADER);
    const length = head.readUInt32LE(0);
    if (length < CERTIFICATE_HEADER || at + length > file.size)
      throw corrupt(`certificate table: an entry of ${length} bytes`, 'PE');
    if (++count > MOST_SIGNATURES)
      throw limit(`more than ${MOST_SIGNATURES} entries in the certificate table`, 'PE');
    if (head.readUInt16LE(6) === PKCS_SIGNED_DATA)
      yield file.read(at + CERTIFICATE_HEADER, length - CERTIFICATE_HEADER);
    // Entries start at multiples of eight bytes of the table.
    at += Math.ceil(length / 8) * 8;
  }
}

/** The element that `bytes` begin with: makers of signatures pad to eight bytes, inside the entry's length too. */
function padded(bytes: Buffer, what: string): Buffer {
  const { raw } = new Der(bytes, what).any();
  if (bytes.length - raw.length > 7 || bytes.subarray(raw.length).some((b) => b !== 0))
    throw corrupt(`${what}: ${bytes.length - raw.length} bytes behind it`);
  return raw;
}

/**
 * Checks that one of the image's signatures is a trusted signer's.
 * @returns false when the file is no PE image
 * @throws GuestError that says why none counts
 */
export function checkAuthenticode(file: Content, trusted: readonly Certificate[]): boolean {
  const layout = readLayout(file);
  if (!layout) return false;
  const digests = new Map<HashName, Buffer>();
  const digest = (hash: HashName): Buffer => {
    const known = digests.get(hash) ?? authenticodeDigest(file, layout, hash);
    digests.set(hash, known);
    return known;
  };
  let why: GuestError = unsupported('carries no signature');
  for (const bytes of signatures(file, layout)) {
    try {
      checkOne(bytes, digest, trusted);
      return true;
    } catch (error) {
      if (!(error instanceof GuestError)) throw error;
      why = error;
    }
  }
  throw why;
}

function checkOne(bytes: Buffer, digest: (hash: HashName) => Buffer, trusted: readonly Certificate[]): void {
  const what = 'Authenticode signature';
  const data = readSignedData(padded(bytes, what), what);
  const content = new Der(data.content ?? Buffer.alloc(0), what);
  // Hashed and signed is what stands inside the sequence, without its tag and length.
  const indirect = content.read(TAG.sequence).content;
  content.end();
  const der = new Der(indirect, what);
  der.read(TAG.sequence);
  const info = der.into(TAG.sequence);
  der.end();
  const hash = readHash(info);
  const promised = info.read(TAG.octetString).content;
  info.end();
  if (!promised.equals(digest(hash))) throw corrupt(`${what}: was made for other content`);
  checkSigned(
    data,
    {
      contentType: SPC_INDIRECT_DATA,
      digest: (name) => {
        const { createHash } = require('node:crypto') as typeof import('node:crypto');
        return createHash(name).update(indirect).digest();
      },
    },
    trusted,
    what,
  );
}
