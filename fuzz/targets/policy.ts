/** What stands between a hostile guest and the host's rules: policy documents, command lines, signatures, the sandbox's answer. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ByteString } from '../../lib/bytes/text';
import { type ArgumentRules, judgeArguments } from '../../lib/policy/arguments';
import { Content } from '../../lib/policy/content';
import { parseDocument } from '../../lib/policy/document';
import {
  authenticodeDigest,
  checkAuthenticode,
  readLayout,
  signatures,
} from '../../lib/policy/signature/authenticode';
import { readSignedData } from '../../lib/policy/signature/cms';
import { Der } from '../../lib/policy/signature/der';
import { checkCms } from '../../lib/policy/signature/detached';
import { type Certificate, pemBlocks, readCertificate } from '../../lib/policy/signature/x509';
import { globMatches, kernelWords, wordMatches } from '../../lib/policy/words';
import { answer, understood } from '../../lib/sandbox/message';
import { Screening } from '../../lib/sandbox/screening';
import type { BlockSource } from '../../lib/source/types';
import { imageOf } from '../disk';
import { editDer } from '../edits';
import type { Random } from '../random';
import type { Target } from '../target';
import { guarded, ImageTarget, type Parser, type Sample } from './images';
import { changedPlace, PlainTarget } from './plain';

/** A file as the survey sees it read. */
class DiskContent extends Content {
  constructor(readonly disk: BlockSource) {
    super(disk.size);
  }
  protected fill(at: number, into: Buffer): void {
    this.disk.read(at, into);
  }
}

const wrong = (what: string) => new Error(`contract: ${what}`);

/** An image is past when a signature in it can be taken apart. What was signed for other content must never count. */
function peTarget(root: string, trusted: readonly Certificate[]): Target {
  const file = (name: string) => readFileSync(join(root, 'fixtures/policy', name));
  const names = ['signed', 'signed-checksum', 'signed-child', 'signed-ec', 'signed-twice', 'signed-tls'];
  const digestOf = (content: Content) =>
    authenticodeDigest(content, readLayout(content)!, 'sha256').toString('hex');
  const signed = new Set<string>();
  const parser: Parser<DiskContent> = {
    open(disk) {
      const content = new DiskContent(disk);
      const layout = readLayout(content);
      if (!layout) return undefined;
      let taken = 0;
      for (const bytes of signatures(content, layout))
        guarded(() => {
          readSignedData(new Der(bytes, 'x').any().raw, 'x');
          taken++;
        });
      return taken > 0 ? content : undefined;
    },
    use(content) {
      guarded(() => {
        if (checkAuthenticode(content, trusted) && !signed.has(digestOf(content)))
          throw wrong('a signature counts for content that nobody signed');
      });
    },
    paths: () => [],
  };
  const samples = names.map((name): Sample => {
    const bytes = file(name);
    const image = imageOf(name, bytes);
    const from = readLayout(new BytesContent(bytes))!.table + 8;
    signed.add(digestOf(new BytesContent(bytes)));
    return { name, load: () => image, edit: editDer(() => from) };
  });
  return new ImageTarget('signature-pe', parser, samples, 0.5) as ImageTarget<unknown>;
}

class BytesContent extends Content {
  constructor(readonly bytes: Buffer) {
    super(bytes.length);
  }
  protected fill(at: number, into: Buffer): void {
    this.bytes.copy(into, 0, at, at + into.length);
  }
}

function cmsTarget(root: string, trusted: readonly Certificate[]): Target {
  const file = (name: string) => readFileSync(join(root, 'fixtures/policy', name));
  const kernel = file('unsigned');
  const other = Buffer.from(kernel);
  other[2000]! ^= 1;
  const parser: Parser<Buffer> = {
    open(disk) {
      const bytes = Buffer.alloc(disk.size);
      disk.read(0, bytes);
      readSignedData(bytes, 'x');
      return bytes;
    },
    use(bytes) {
      guarded(() => checkCms(new BytesContent(kernel), bytes, trusted));
      let counts = false;
      guarded(() => {
        checkCms(new BytesContent(other), bytes, trusted);
        counts = true;
      });
      if (counts) throw wrong('a signature counts for content that nobody signed');
    },
    paths: () => [],
  };
  const samples = ['cms-der', 'cms-chain', 'cms-keyid', 'cms-nocerts', 'cms-stranger'].map((name): Sample => {
    const image = imageOf(name, file(name));
    return { name, load: () => image, edit: editDer(() => 0) };
  });
  return new ImageTarget('signature-cms', parser, samples, 0.5) as ImageTarget<unknown>;
}

const RULES: ArgumentRules = {
  removed: ['quiet', 'lockdown='],
  refused: ['init=', 'rdinit=', 'systemd.debug*', 'single'],
  required: ['ro'],
  added: ['panic=5'],
  appended: ['lockdown=integrity'],
};

/** What is let through has no word that is refused, and has those that must be there, as the kernel reads it. */
function lineIsRight(line: ByteString): boolean {
  const judged = judgeArguments(line, RULES);
  if (!('line' in judged)) return false;
  const words = kernelWords(judged.line).map(({ text }) => text);
  const end = words.indexOf('--');
  const parameters = end < 0 ? words : words.slice(0, end);
  const has = (pattern: string, list = parameters) => list.some((word) => wordMatches(pattern, word));
  for (const pattern of RULES.refused) if (has(pattern, words)) throw wrong(`'${pattern}' got through`);
  for (const pattern of RULES.required) if (!has(pattern)) throw wrong(`'${pattern}' is not there`);
  if (!has('panic=')) throw wrong('what is added is not there');
  if (parameters.at(-1) !== 'lockdown=integrity') throw wrong('what is appended does not stand last');
  if (parameters.filter((word) => wordMatches('lockdown=', word)).length > 1)
    throw wrong('what is removed is still there');
  return true;
}

const DOCUMENTS: readonly string[] = [
  JSON.stringify({
    dialects: ['grub2', 'bls'],
    filesystems: ['ext4'],
    volumes: ['hd0,gpt*'],
    guess: false,
    kernel: {
      maxSize: '64M',
      sha256: ['a'.repeat(64)],
      signature: { certificates: ['a.pem'], accept: ['pe'] },
    },
    arguments: { refused: ['init=', 'a*'], required: ['ro'], added: ['x=1'] },
  }),
  '{"menu": false, "editing": false, "entry": false, "ramdisk": {"maxSize": 1}}',
  'dialects = ["grub2", "bls"]\nguess = false\n\n[kernel]\nmaxSize = "64M"\n\n[kernel.signature]\ncertificates = ["a.pem"]\n',
  'volumes = [\n  "hd0",\n  "hd0,*",\n]\n[arguments]\nremoved = ["lockdown="] # a comment\nappended = ["lockdown=integrity"]\n',
];

/** A document with other words and numbers, a key or a line less, or a piece twice. */
function otherDocument(random: Random, text: ByteString): ByteString {
  let made = text;
  for (let n = 1 + random.skewed(3); n > 0; n--)
    made = random.pick([
      () =>
        changedPlace(random, made, /"[^"\n]*"/g, () =>
          random.pick([
            '"hd*"',
            '"ext4"',
            '"grub2"',
            '"64M"',
            '"init="',
            '""',
            `"${'x'.repeat(300)}"`,
            '"\\u0000"',
          ]),
        ),
      () =>
        changedPlace(random, made, /\b\d+\b/g, () =>
          random.pick(['0', '1', '-1', '1e3', '1.5', '9'.repeat(17)]),
        ),
      () =>
        changedPlace(random, made, /\[[^[\]]*\]/g, () =>
          random.pick(['[]', '["*", "a*b*"]', '[[]]', 'true']),
        ),
      () => changedPlace(random, made, /\n[^\n]*(?=\n)|"\w+": ?"?\w+"?,/g, () => ''),
      () =>
        changedPlace(random, made, /\b(?:true|false)\b/g, (old) => random.pick(['true', 'false', '1', old])),
    ])();
  return made;
}

/** Another answer of the same form. */
const otherAnswer = (random: Random, text: ByteString): ByteString =>
  random.pick([
    () =>
      changedPlace(
        random,
        text,
        /\\0[0-7]{3}/g,
        () => `\\0${random.below(512).toString(8).padStart(3, '0')}`,
      ),
    () =>
      changedPlace(random, text, /(?<=args |entry )/g, () =>
        random.pick(['\\0000', ' ', '\\\\', '%s', '\\0012x']),
      ),
    () =>
      changedPlace(random, text, /\tentry [^\n]*\n|ramdisk [01]/g, () =>
        random.pick(['', '\tentry \n', 'ramdisk 1']),
      ),
    () => changedPlace(random, text, /[a-z]/g, () => String.fromCharCode(random.below(256))),
  ])();

export function policyTargets(root: string): Target[] {
  const trusted = pemBlocks(readFileSync(join(root, 'fixtures/policy/ca.pem'), 'latin1')).map(({ bytes }) =>
    readCertificate(bytes, 'ca'),
  );
  const all = String.fromCharCode(...Array.from({ length: 256 }, (_, i) => i));
  const answers = [
    answer({ kernel: '/k', ramdisk: '/r', args: 'root=/dev/xvda1 ro quiet', entry: 'Debian' }),
    answer({ kernel: '/k', ramdisk: undefined, args: all, entry: undefined }),
  ].map((bytes) => bytes.toString('latin1'));
  return [
    new PlainTarget(
      'policy-document',
      DOCUMENTS,
      ['"hd*"', '[kernel]', '{"kernel":', 'sha256', '[[', '1e400', '"\\ud800"', '{}', 'true', "'''"],
      (text) => {
        const name = /^\s*[{[]/.test(text) && !/^\s*\[\w/.test(text) ? 'p.json' : 'p.toml';
        const { volumes } = parseDocument(name, Buffer.from(text, 'latin1').toString('utf8'));
        for (const pattern of volumes ?? []) globMatches(pattern, 'hd0,gpt1');
        return true;
      },
      [],
      otherDocument,
    ),
    new PlainTarget(
      'policy-arguments',
      [
        'root=/dev/xvda1 ro quiet',
        'ro "init=/x y" lockdown=none -- single',
        'a="b c" ro lockdown="x y" x',
        'ro panic=1',
      ],
      [
        'init=/bin/sh',
        'rdinit=',
        '"',
        '--',
        'single',
        'ro',
        'lockdown=none',
        'quiet',
        '\xa0',
        'systemd-debug',
        "'",
      ],
      lineIsRight,
    ),
    peTarget(root, trusted),
    cmsTarget(root, trusted),
    new PlainTarget(
      'sandbox-answer',
      answers,
      [
        '\tramdisk 1\n',
        '\targs ',
        '\tentry x\n',
        '\tend\n',
        '\\0000',
        '\\0400',
        '\\n',
        '\tkernel /etc/shadow\n',
      ],
      (text) => {
        const { ramdisk, args, entry } = understood(text);
        const again = answer({ kernel: '', ramdisk: ramdisk ? '' : undefined, args, entry }).toString(
          'latin1',
        );
        // A printable character may come as an escape too: what it means must be the same.
        const { ramdisk: r, args: a, entry: e } = understood(again);
        if (r !== ramdisk || a !== args || e !== entry) throw wrong('an answer means two things');
        return true;
      },
      [],
      otherAnswer,
    ),
    new PlainTarget(
      'sandbox-screen',
      ['\x1b[H\x1b[2;5Hone\r\n\x1b[0;7mtwo\x1b[m\x1b[?25l', '\x0e\x1b[J\x1b[K12\x07\x0f', 'ä─│\x1b[107mx'],
      [
        '\x1b]0;t\x07',
        '\x1b[',
        '\x9b',
        '\x1b[6n',
        '\x1bP',
        '\x1b[?1049h',
        '\x1b[1;1H',
        '\xc2',
        '\x0e',
        '\xe2\x80\xae',
      ],
      (text) => {
        const bytes = Buffer.from(text, 'latin1');
        const whole = new Screening().feed(bytes).text;
        const screen = new Screening();
        let pieces = '';
        for (let at = 0; at < bytes.length; at += 3) pieces += screen.feed(bytes.subarray(at, at + 3)).text;
        for (const drawn of [whole, pieces]) {
          const rest = drawn.replace(
            /\x1b\[(?:[HJKm]|\?25[hl]|\d{1,4}C|\d{1,4}(?:;\d{1,4})?H|[0-9;]{1,15}m)/g,
            '',
          );
          if (/[\x00-\x06\x0b\x0c\x0e-\x1f\x7f-\x9f]/.test(rest))
            throw wrong(JSON.stringify(rest.slice(0, 80)));
        }
        return whole.length > 0;
      },
    ),
  ];
}
