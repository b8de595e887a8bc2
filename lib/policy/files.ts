/** Hashes and signatures of kernel and ramdisk, before the copy (so that a fallback may boot instead) and of the copy. */
import { fstatSync } from 'node:fs';
import type { Volume } from '../boot/guest';
import type { BootTarget, GuestFile } from '../boot/model';
import type { Context } from '../bytes/budget';
import { corrupt, GuestError, notFound } from '../bytes/errors';
import { printable } from '../bytes/text';
import { readWhole } from '../fs/file';
import type { FileParts } from '../fs/part';
import type { FileSystem, FsNode } from '../fs/types';
import { tryWalk } from '../fs/walk';
import { type Content, CopiedContent, GuestContent, PatchedContent } from './content';
import type { SignatureKind } from './document';
import { checkAuthenticode } from './signature/authenticode';
import { checkCms, checkRaw, MOST_SIGNATURE } from './signature/detached';
import type { Certificate } from './signature/x509';

export interface ContentRules {
  /** In lower case. */
  readonly sha256: ReadonlySet<string> | undefined;
  readonly signature:
    | { readonly trusted: readonly Certificate[]; readonly accept: readonly SignatureKind[] }
    | undefined;
}

export type FileKind = 'kernel' | 'ramdisk';

/** Which rule refuses, and why. */
export class Refused extends Error {
  constructor(
    readonly rule: string,
    readonly why: string,
  ) {
    super(why);
  }
}

type Found = NonNullable<GuestFile['found']>;

/** A section of a unified kernel image: where in which file. */
function sectionOf({ fs, node }: Found): { whole: FileParts; start: number } | undefined {
  // Not `instanceof`: the class belongs to another chunk.
  const parts = fs as Partial<FileParts> & FileSystem;
  return typeof parts.part === 'function'
    ? { whole: fs as FileParts, start: (node as FsNode & { start: number }).start }
    : undefined;
}

const round = (n: number): number => Math.ceil(n / 4) * 4;

/** The files of a target with their bytes: of the disk, or of the copies. */
interface Piece {
  readonly kind: FileKind;
  readonly file: GuestFile;
  readonly found: Found;
  readonly content: Content;
}

function piecesOf(
  target: BootTarget,
  rules: Readonly<Record<FileKind, ContentRules | undefined>>,
  contentOf: (kind: FileKind, found: Found, label: string, start: number) => Content,
): Piece[] {
  const pieces: Piece[] = [];
  const add = (kind: FileKind, file: GuestFile, start: number): number => {
    const { found } = file;
    if (!found) throw notFound(file.problem ?? `${printable(file.path)}: not found`);
    pieces.push({ kind, file, found, content: contentOf(kind, found, printable(file.path), start) });
    return found.node.size;
  };
  if (target.kernel) add('kernel', target.kernel, 0);
  // As extract/initrd.ts lays them out, if none is wrapped.
  let at = 0;
  for (const { file, newcName } of target.initrds) {
    if (newcName !== undefined && rules.ramdisk)
      throw new Refused(
        'ramdisk',
        `${printable(file.path)} would be put into the ramdisk under the name ${printable(newcName)}, for which there is no rule`,
      );
    at = round(at) + add('ramdisk', file, round(at));
  }
  return pieces;
}

export class FileChecker {
  readonly #known = new Map<Volume, Map<string, Refused | undefined>>();

  constructor(readonly rules: Readonly<Record<FileKind, ContentRules | undefined>>) {}

  get idle(): boolean {
    return !this.rules.kernel && !this.rules.ramdisk;
  }

  /** As they are on the disk now. @throws Refused, GuestError */
  onDisk(target: BootTarget, ctx: Context): void {
    if (this.idle) return;
    for (const piece of piecesOf(
      target,
      this.rules,
      (_, { fs, node }, label) => new GuestContent(fs, node, label, ctx),
    ))
      if (this.rules[piece.kind]) this.#remembered(piece, ctx);
  }

  /** A menu with a hundred entries names few files. */
  #remembered(piece: Piece, ctx: Context): void {
    const { volume, path } = piece.file;
    const { node } = piece.found;
    const key = `${piece.kind} ${path} ${node.id} ${node.size} ${sectionOf(piece.found)?.whole.root.id ?? ''}`;
    const known = volume && this.#known.get(volume);
    let refused = known?.get(key);
    if (!known?.has(key)) {
      try {
        this.#check(piece, [], ctx);
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        refused = error;
      }
      if (volume) {
        const files = known ?? new Map<string, Refused | undefined>();
        files.set(key, refused);
        this.#known.set(volume, files);
      }
    }
    if (refused) throw refused;
  }

  /** As they were copied; the disk is asked for signatures alone. @throws Refused, GuestError */
  copied(target: BootTarget, fds: Readonly<Record<FileKind, number>>, ctx: Context): void {
    if (this.idle) return;
    const pieces = piecesOf(
      target,
      this.rules,
      (kind, { node }, _, start) => new CopiedContent(fds[kind], start, node.size),
    );
    for (const kind of ['kernel', 'ramdisk'] as const) {
      if (!this.rules[kind]) continue;
      const last = pieces.filter((piece) => piece.kind === kind).pop()?.content as CopiedContent | undefined;
      const end = last ? last.start + last.size : 0;
      if (fstatSync(fds[kind]).size !== end)
        throw new Refused(kind, 'what was copied is not as long as the files are');
    }
    for (const piece of pieces) if (this.rules[piece.kind]) this.#check(piece, pieces, ctx);
  }

  /** @param copies what belongs to the same image, to be looked at in place of the disk */
  #check({ kind, file, found, content }: Piece, copies: readonly Piece[], ctx: Context): void {
    const { sha256, signature } = this.rules[kind]!;
    const path = printable(file.path);
    let why = '';
    if (sha256) {
      const { createHash } = require('node:crypto') as typeof import('node:crypto');
      const sum = createHash('sha256');
      content.all((piece) => void sum.update(piece));
      const digest = sum.digest('hex');
      if (sha256.has(digest)) return;
      why = `${path} has the hash ${digest}`;
      if (!signature) throw new Refused(`${kind}.sha256`, why);
    }
    if (!signature) return;
    const section = sectionOf(found);
    let signed = content;
    if (section) {
      const { whole } = section;
      const patches = copies
        .filter((copy) => sectionOf(copy.found)?.whole === whole)
        .map((copy) => ({ at: sectionOf(copy.found)!.start, by: copy.content }));
      signed = new PatchedContent(
        new GuestContent(whole, whole.part(0, whole.root.size), path, ctx),
        patches,
      );
    }
    const reasons = this.#signatures(file, found, signed, section !== undefined, signature, ctx);
    if (!reasons) return;
    throw new Refused(
      `${kind}.signature`,
      [why, `${path}: ${reasons.join('; ')}`].filter((s) => s !== '').join('; '),
    );
  }

  /** @returns undefined when one of the signatures counts, else why none does */
  #signatures(
    file: GuestFile,
    found: Found,
    signed: Content,
    section: boolean,
    { trusted, accept }: NonNullable<ContentRules['signature']>,
    ctx: Context,
  ): string[] | undefined {
    const reasons: string[] = [];
    const fs = section ? file.volume?.filesystem() : found.fs;
    const beside = (suffix: string): Buffer => {
      const node = fs && tryWalk(fs, file.path + suffix);
      if (!fs || !node) throw notFound(`there is no ${suffix} file beside it`);
      return readWhole(fs, node, MOST_SIGNATURE, ctx);
    };
    const ways: Readonly<Record<SignatureKind, () => void>> = {
      pe: () => {
        if (!checkAuthenticode(signed, trusted)) throw corrupt('is no PE image');
      },
      cms: () => checkCms(signed, beside('.p7s'), trusted),
      raw: () => checkRaw(signed, beside('.sig'), trusted),
    };
    for (const kind of accept) {
      try {
        ways[kind]();
        return undefined;
      } catch (error) {
        if (!(error instanceof GuestError) || error.code === 'io') throw error;
        reasons.push(`${kind}: ${error.message}`);
      }
    }
    return reasons;
  }
}
