/** The policy as a document: JSON or TOML → rules, or a reason with its line. */
import { GuestError } from '../bytes/errors';
import { type ByteString, fromHost, printable } from '../bytes/text';
import type { ArgumentRules } from './arguments';
import { firstMistake } from './schema';

/** The document as docs/policy.schema.json describes it. */
export interface PolicyDocument {
  readonly dialects?: readonly string[];
  readonly filesystems?: readonly string[];
  readonly volumes?: readonly string[];
  readonly locations?: readonly string[];
  readonly guess?: boolean;
  readonly menu?: boolean;
  readonly editing?: boolean;
  readonly entry?: boolean;
  readonly kernel?: FileRules;
  readonly ramdisk?: FileRules;
  readonly arguments?: Partial<ArgumentRules>;
}

export type SignatureKind = 'pe' | 'cms' | 'raw';

export interface FileRules {
  readonly maxSize?: number | string;
  readonly sha256?: readonly string[];
  readonly signature?: {
    readonly certificates: readonly string[];
    readonly accept?: readonly SignatureKind[];
  };
}

/** What the host has read: all that a policy is made of. Plain data, to be handed to another process as it is. */
export interface PolicyText {
  /** As the admin named it. */
  readonly name: string;
  readonly text: string;
  /** Contents of the certificate files, by the names that the text has for them. */
  readonly files: Readonly<Record<string, string>>;
}

export const policyName = (name: string): ByteString => printable(fromHost(name));

const wrong = (name: string, what: string, line?: number): GuestError =>
  new GuestError(
    'syntax',
    `policy ${policyName(name)}: ${line === undefined ? '' : `line ${line}: `}${printable(fromHost(what))}`,
  );

/** @throws GuestError `syntax` that says what is wrong, and where */
export function parseDocument(name: string, text: string): PolicyDocument {
  const format = /\.(json|toml)$/.exec(name)?.[1];
  if (!format) throw wrong(name, 'the name must end with .json or .toml');
  const value = format === 'json' ? parseJson(name, text) : parseToml(name, text);
  const mistake = firstMistake(value);
  if (!mistake) return value as PolicyDocument;
  const place = mistake.path.map((step, i) =>
    typeof step === 'number' ? `[${step}]` : i > 0 ? `.${step}` : step,
  );
  throw wrong(
    name,
    place.length > 0 ? `${place.join('')}: ${mistake.message}` : mistake.message,
    lineOf(text, format === 'json', mistake.path),
  );
}

function parseJson(name: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    // V8: `… in JSON at position 17`, from Node 20 on with `(line 2 column 3)`.
    const { message } = error as Error;
    const at = /at position (\d+)/.exec(message)?.[1];
    const line = at === undefined ? undefined : text.slice(0, Number(at)).split('\n').length;
    throw wrong(name, message.replace(/ \(line \d+ column \d+\)$/, ''), line);
  }
}

function parseToml(name: string, text: string): unknown {
  const { parse, TomlError } = require('smol-toml') as typeof import('smol-toml', { with: {
    'resolution-mode': 'import',
  }});
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    throw wrong(name, error.message.split('\n')[0]!, error.line);
  }
}

/** The line on which the last key of the path stands, as far as a look from key to key finds it. */
function lineOf(text: string, json: boolean, path: readonly (string | number)[]): number | undefined {
  let at = 0;
  for (const key of path) {
    if (typeof key === 'number') continue;
    const name = (json ? JSON.stringify(key) : key).replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    const after = json ? '\\s*:' : '["\']?\\s*[=.\\]]';
    const found = new RegExp(`${json ? '' : '(?<![\\w-])'}${name}${after}`).exec(text.slice(at));
    if (!found) break;
    at += found.index + 1;
  }
  return at === 0 ? undefined : text.slice(0, at).split('\n').length;
}

const UNITS: Readonly<Record<string, number>> = { K: 1024, M: 1024 ** 2, G: 1024 ** 3 };

/** `64M` → bytes. */
export const sizeOf = (size: number | string): number =>
  typeof size === 'number' ? size : Number(size.slice(0, -1)) * UNITS[size.slice(-1)]!;
