/**
 * The policy of the host's admin (`--policy=FILE`): what guests may boot. A chunk, loaded only where there is one; README.md says
 * how it works. `read` is done before privileges are dropped and gives plain data; `policyFrom` opens nothing.
 */
import type { GuestParts } from '../boot/guest';
import type { BootContext, BootMenu, BootTarget, ConfigFile } from '../boot/model';
import { GuestError, unsupported } from '../bytes/errors';
import { type ByteString, fromHost, printable } from '../bytes/text';
import { type ArgumentRules, judgeArguments } from './arguments';
import {
  type FileRules,
  type PolicyDocument,
  type PolicyText,
  parseDocument,
  policyName,
  sizeOf,
} from './document';
import { type ContentRules, FileChecker, type FileKind, Refused } from './files';
import { judgedMenu } from './menu';
import { readPolicy } from './read';
import { type Certificate, pemBlocks, readCertificate } from './signature/x509';
import type { Copies, Policy } from './types';
import { globMatches } from './words';

/** What of the command line a policy looks at. */
export interface Asked {
  /** The policy's file. */
  readonly policy?: string | undefined;
  readonly action: string;
  readonly entry: ByteString | undefined;
}

/**
 * Reads the policy and makes it.
 * @param finalArguments a target's arguments with `--args` in them
 * @throws GuestError when there is anything wrong with it, or when it refuses what is asked for
 */
export function loadPolicy<T extends Asked>(
  asked: T,
  finalArguments: (target: BootTarget, asked: T) => ByteString,
): Policy {
  return policyFrom(readPolicy(asked.policy ?? ''), asked, (target) => finalArguments(target, asked));
}

/** From what was read, without reading anything. @throws GuestError */
export function policyFrom(
  text: PolicyText,
  asked: Asked,
  finalArguments: (target: BootTarget) => ByteString,
): Policy {
  return new HostPolicy(text, asked, finalArguments);
}

/** The certificates of the policy's PEM files. @throws GuestError `syntax` */
function certificatesOf({ name, files }: PolicyText, rules: FileRules): Certificate[] {
  const found: Certificate[] = [];
  for (const file of rules.signature?.certificates ?? []) {
    const what = `policy ${policyName(name)}: certificate ${policyName(file)}`;
    const blocks = pemBlocks(files[file] ?? '').filter(({ label }) => label === 'CERTIFICATE');
    if (blocks.length === 0) throw new GuestError('syntax', `${what}: holds no certificate in PEM`);
    for (const { bytes } of blocks) found.push(readCertificate(bytes, what));
  }
  return found;
}

const NO_ARGUMENTS: ArgumentRules = { removed: [], refused: [], required: [], added: [], appended: [] };

class HostPolicy implements Policy {
  readonly #name: string;
  readonly #rules: PolicyDocument;
  readonly #files: FileChecker;
  readonly #sizes: Readonly<Record<FileKind, number>>;
  readonly #finalArguments: (target: BootTarget) => ByteString;

  constructor(text: PolicyText, asked: Asked, finalArguments: (target: BootTarget) => ByteString) {
    this.#name = policyName(text.name);
    const rules = parseDocument(text.name, text.text);
    this.#rules = rules;
    this.#finalArguments = finalArguments;
    const content = (files: FileRules | undefined): ContentRules | undefined => {
      if (!files?.sha256 && !files?.signature) return undefined;
      const trusted = certificatesOf(text, files);
      return {
        sha256: files.sha256 && new Set(files.sha256),
        signature: files.signature && { trusted, accept: files.signature.accept ?? ['pe', 'cms', 'raw'] },
      };
    };
    this.#files = new FileChecker({ kernel: content(rules.kernel), ramdisk: content(rules.ramdisk) });
    const most = (files: FileRules | undefined) =>
      files?.maxSize === undefined ? Number.POSITIVE_INFINITY : sizeOf(files.maxSize);
    this.#sizes = { kernel: most(rules.kernel), ramdisk: most(rules.ramdisk) };
    if (asked.action === 'isconfig') throw unsupported('--policy is for disks, not for --isconfig');
    if (rules.entry === false && asked.entry !== undefined)
      throw unsupported(this.#words('entry', `--entry=${printable(asked.entry)}`));
  }

  /** `refused by policy FILE: RULE: WHAT` */
  #words(rule: string, what: string): string {
    return `refused by policy ${this.#name}: ${rule}: ${what}`;
  }

  get quiet(): boolean {
    return this.#rules.menu === false;
  }

  refusesGuess(say: (line: string) => void): boolean {
    if (this.#rules.guess !== false) return false;
    say(this.#words('guess', 'kernels are not looked for where no configuration boots'));
    return true;
  }

  guard(open: GuestParts['openFileSystem']): GuestParts['openFileSystem'] {
    const { volumes, filesystems } = this.#rules;
    return (source, ctx, others, name) => {
      if (volumes && !volumes.some((pattern) => globMatches(pattern, name)))
        throw unsupported(this.#words('volumes', `'${printable(name)}'`));
      const fs = open(source, ctx, others, name);
      if (fs && filesystems && !filesystems.includes(fs.type))
        throw unsupported(this.#words('filesystems', `'${fs.type}'`));
      return fs;
    };
  }

  location(url: string): void {
    const { locations, volumes, filesystems, dialects } = this.#rules;
    const allowed = locations?.some((pattern) => globMatches(pattern, fromHost(url)));
    if (allowed) return;
    if (locations) throw unsupported(this.#words('locations', `'${printable(fromHost(url))}'`));
    // Who lists what a guest may be read from means nothing else.
    const listed = Object.entries({ volumes, filesystems, dialects }).find(([, list]) => list)?.[0];
    if (listed)
      throw unsupported(
        this.#words(listed, 'a tree of --location is none of them, and there is no locations'),
      );
  }

  dialect(name: string): void {
    const { dialects } = this.#rules;
    if (dialects && !dialects.includes(name)) throw unsupported(this.#words('dialects', `'${name}'`));
  }

  judgedMenu(menu: BootMenu, config: ConfigFile, ctx: BootContext): BootMenu {
    return judgedMenu(menu, config, ctx, {
      target: (target) => this.judged(target, ctx),
      locked:
        this.#rules.editing === false
          ? `Entries may not be edited: policy ${this.#name}, editing.`
          : undefined,
    });
  }

  judged(target: BootTarget, ctx: BootContext): BootTarget {
    // An entry that opens a menu has its default's target, which was not judged yet.
    if (target.problem !== null) return target;
    const args = this.#finalArguments(target);
    let settled: BootTarget = { ...target, args, settled: true };
    try {
      settled = { ...settled, args: this.#arguments(args) };
      this.#size('kernel', target.kernel?.found?.node.size ?? 0);
      this.#size(
        'ramdisk',
        target.initrds.reduce((sum, { file }) => sum + (file.found?.node.size ?? 0), 0),
      );
      this.#files.onDisk(target, ctx);
      return settled;
    } catch (error) {
      if (error instanceof Refused) return { ...settled, problem: this.#words(error.rule, error.why) };
      if (error instanceof GuestError) return { ...settled, problem: error.describe() };
      throw error;
    }
  }

  #arguments(line: ByteString): ByteString {
    const rules = this.#rules.arguments;
    if (!rules) return line;
    const result = judgeArguments(line, { ...NO_ARGUMENTS, ...rules });
    if ('line' in result) return result.line;
    throw new Refused(result.rule, result.what);
  }

  #size(kind: FileKind, size: number): void {
    if (size > this.#sizes[kind])
      throw new Refused(`${kind}.maxSize`, `${size} bytes, at most ${this.#sizes[kind]}`);
  }

  checkCopied(target: BootTarget, { kernel, ramdisk }: Copies, ctx: BootContext): void {
    // Whatever way a target came about: none that was not judged boots.
    if (!target.settled || target.problem !== null)
      throw unsupported(target.problem ?? this.#words('defect', 'the entry was not judged'));
    try {
      this.#files.copied(target, { kernel: kernel.fd, ramdisk: ramdisk.fd }, ctx);
    } catch (error) {
      if (error instanceof Refused) throw unsupported(this.#words(error.rule, error.why));
      throw error;
    }
  }
}
