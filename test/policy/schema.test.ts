/** docs/policy.schema.json as ajv reads it and as the program does: the same documents pass; and what is said of the others. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import Ajv2020 from 'ajv/dist/2020';
import t from 'tap';
import { dialects, furtherDialects } from '../../lib/boot';
import { GuestError } from '../../lib/bytes/errors';
import { parseDocument } from '../../lib/policy/document';
import { ROOT } from '../support';

const schema = JSON.parse(readFileSync(join(ROOT, 'docs/policy.schema.json'), 'utf8'));
const validate = new Ajv2020({ strict: true, allowUnionTypes: true }).compile(schema);

function says(name: string, text: string): string {
  try {
    parseDocument(name, text);
    return '';
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    return error.message;
  }
}

const hash = 'a'.repeat(64);
const SOUND: unknown[] = [
  {},
  { $schema: 'x' },
  { dialects: ['grub2', 'bls'], filesystems: ['ext4', 'zfs_member'], volumes: ['hd0,gpt*', 'hd1'] },
  { guess: false, menu: false, editing: false, entry: false },
  { kernel: { maxSize: 1, sha256: [hash], signature: { certificates: ['db.pem'], accept: ['pe'] } } },
  { ramdisk: { maxSize: '128M' } },
  {
    arguments: {
      refused: ['init=', 'a*'],
      required: ['ro'],
      removed: ['quiet'],
      added: ['x=1'],
      appended: ['y'],
    },
  },
];
const WRONG: unknown[] = [
  null,
  [],
  'x',
  1,
  { dialect: ['grub2'] },
  { dialects: [] },
  { dialects: ['grub'] },
  { dialects: 'grub2' },
  { filesystems: ['Ext4'] },
  { filesystems: [''] },
  { volumes: ['hd0 gpt1'] },
  { volumes: [1] },
  { guess: 'no' },
  { menu: 0 },
  { editing: null },
  { kernel: [] },
  { kernel: { maxsize: 1 } },
  { kernel: { maxSize: 0 } },
  { kernel: { maxSize: 1.5 } },
  { kernel: { maxSize: -1 } },
  { kernel: { maxSize: 1e300 } },
  { kernel: { maxSize: '64m' } },
  { kernel: { maxSize: '064M' } },
  { kernel: { maxSize: true } },
  { kernel: { sha256: hash } },
  { kernel: { sha256: [hash.toUpperCase()] } },
  { kernel: { sha256: [`${hash}a`] } },
  { kernel: { sha256: [`${hash}\n`] } },
  { kernel: { signature: {} } },
  { kernel: { signature: { certificates: [] } } },
  { kernel: { signature: { certificates: [''] } } },
  { kernel: { signature: { certificates: ['x'], accept: ['gpg'] } } },
  { kernel: { signature: { certificates: ['x'], accept: [] } } },
  { kernel: { signature: { certificates: ['x'], accept: ['pe', 'pe', 'pe', 'pe'] } } },
  { arguments: { refused: ['a b'] } },
  { arguments: { refused: ['a"b'] } },
  { arguments: { refused: ["a'b"] } },
  { arguments: { refused: ['a\\b'] } },
  { arguments: { refused: [''] } },
  { arguments: { refused: ['ä'] } },
  { arguments: { refused: ['x'.repeat(1001)] } },
  { arguments: { appended: 'ro' } },
  { arguments: { forbidden: ['a'] } },
  JSON.parse('{ "__proto__": { "menu": false } }'),
  { constructor: {} },
  { toString: true },
];

t.test('ajv says the same', async (t) => {
  for (const value of SOUND) {
    const text = JSON.stringify(value);
    t.ok(validate(value), text);
    t.equal(says('p.json', text), '', text);
  }
  for (const value of WRONG) {
    const text = JSON.stringify(value);
    t.notOk(validate(value), text);
    t.not(says('p.json', text), '', text);
  }
});

t.test('the examples', async (t) => {
  const page = readFileSync(join(ROOT, 'docs/policy.md'), 'utf8');
  const blocks = [...page.matchAll(/```(json|toml)\n([\s\S]*?)```/g)];
  t.ok(blocks.some(([, form]) => form === 'json') && blocks.some(([, form]) => form === 'toml'));
  for (const [, form, text] of blocks) {
    t.equal(says(`p.${form}`, text!), '');
    const value = form === 'json' ? JSON.parse(text!) : require('smol-toml').parse(text!);
    t.ok(validate(value), JSON.stringify(validate.errors));
  }
});

t.test('what is wrong is said with its line', async (t) => {
  const json = '{\n "menu": false,\n "kernel": {\n  "sha265": []\n }\n}';
  t.match(
    says('p.json', json),
    /^policy p\.json: line 4: kernel\.sha265: there is no such key; there are maxSize/,
  );
  t.match(says('p.json', '{\n "menu": }'), /^policy p\.json: (line 2: )?.*(Unexpected token|JSON)/);
  t.match(
    says('p.json', '{ "arguments": {\n"refused": ["a",\n"b c"] } }'),
    /line 2: arguments\.refused\[1\]: must have the form/,
  );
  const toml = 'menu = false\n[kernel]\nmaxSize = "64M"\n[ramdisk]\nmaxSize = "64X"\n';
  t.match(says('p.toml', toml), /^policy p\.toml: line 5: ramdisk\.maxSize: must have the form/);
  t.match(says('p.toml', 'menu = false\nmenu = true\n'), /^policy p\.toml: line 2: Invalid TOML/);
  t.match(says('p.toml', 'guess = 1979-05-27\n'), /line 1: guess: must be true or false/);
  t.match(says('p.json', '[]'), /^policy p\.json: must be a table$/);
  t.match(says('p.yaml', '{}'), /must end with \.json or \.toml/);
  t.match(says('\x1b[31m.json', '[]'), /^policy \\x1b\[31m\.json: /);
});

t.test('the names of dialects are those that there are', async (t) => {
  const names = new Set([...dialects, ...furtherDialects()].map(({ name }) => name));
  t.same([...schema.properties.dialects.items.enum].sort(), [...names].sort());
});
