/** `--write-env`, with Node alone: what the helper refuses and writes, and the program on the example disk. Real tools: test/peers. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { replaceBlock, understood } from '../lib/writeenv/helper';
import { isSound, planned } from '../lib/writeenv/plan';
import { ROOT } from './support';

const dir = mkdtempSync(join(tmpdir(), 'nodegrub-env-'));
t.teardown(() => rmSync(dir, { recursive: true }));
const SIGN = '# GRUB Environment Block\n';
const block = (body: string) => `${SIGN}${body}`.padEnd(1024, '#');
const base64 = (text: string) => Buffer.from(text, 'latin1').toString('base64');

/** A disk with a block at byte 4096, between other things. */
function disk(content: string): string {
  const path = join(dir, 'disk');
  writeFileSync(
    path,
    Buffer.concat([Buffer.alloc(4096, 7), Buffer.from(content, 'latin1'), Buffer.alloc(4096, 9)]),
  );
  return path;
}

function identity(path: string) {
  const { dev, ino, rdev } = statSync(path);
  return { path, dev, ino, rdev };
}

t.test('what is a whole block', async (t) => {
  for (const good of [
    block(''),
    block('a=1\n'),
    block('a=\n# a comment\nb=x\\\ny\n'),
    `${SIGN}a=${'x'.repeat(1024 - SIGN.length - 3)}\n`,
  ])
    t.ok(isSound(good), good.slice(25, 60));
  for (const bad of [
    '',
    block('a=1\n').slice(1),
    `${block('a=1\n')}#`,
    block('a'),
    block('=x\n'),
    block('a=1\n\n'),
    block('stray\na=1\n'),
    `${SIGN}`.padEnd(1024, '\0'),
    block('a=1\\'),
  ])
    t.notOk(isSound(bad), JSON.stringify(bad.slice(25, 60)));
});

t.test('the helper writes a block over a block, and nothing else', async (t) => {
  const before = block('next_entry=two\n');
  const after = block('next_entry=\n');
  const good = { disk: 0, at: 4096, before: base64(before), after: base64(after) };
  const path = disk(before);
  replaceBlock(identity(path), good);
  const bytes = readFileSync(path);
  t.equal(bytes.toString('latin1', 4096, 5120), after);
  t.ok(bytes.subarray(0, 4096).every((b) => b === 7) && bytes.subarray(5120).every((b) => b === 9));
  const refused = (what: string, why: RegExp, change: object, content = before) => {
    const path = disk(content);
    const same = readFileSync(path);
    t.throws(() => replaceBlock(identity(path), { ...good, ...change }), { message: why }, what);
    t.ok(readFileSync(path).equals(same), 'not a byte');
  };
  refused('another place', /another block than was read/, { at: 0 });
  refused('beyond the end', /another block than was read/, { at: 1 << 20 });
  refused('not a block', /not a whole environment block/, { after: base64('x'.repeat(1024)) });
  refused('longer', /not a whole environment block/, { after: base64(`${after}#`) });
  refused('changed meanwhile', /another block than was read/, {}, block('a=1\n'));
  refused('over other bytes', /not a whole environment block/, {
    before: Buffer.alloc(1024, 7).toString('base64'),
    at: 0,
  });
  const other = disk(before);
  t.throws(() => replaceBlock({ ...identity(other), ino: 1 }, good), { message: /another disk/ });
  chmodSync(other, 0o444);
  t.throws(() => replaceBlock(identity(other), good), { message: /read-only|EACCES/ });
  chmodSync(other, 0o600);
});

t.test('messages', async (t) => {
  t.same(understood('{"disk":0,"at":512,"before":"","after":""}', 1), {
    disk: 0,
    at: 512,
    before: '',
    after: '',
  });
  for (const line of [
    '',
    'null',
    '{}',
    '{"disk":1,"at":512,"before":"","after":""}',
    '{"disk":0,"at":100,"before":"","after":""}',
    '{"disk":0,"at":-512,"before":"","after":""}',
    '{"disk":0,"at":512,"before":1,"after":""}',
  ])
    t.throws(() => understood(line, 1), { message: /not one of ours/ }, line);
});

t.test('a power cut between two sectors', async (t) => {
  const long = 'x'.repeat(520);
  const before = block(`next_entry=a-long-name\nlong=${long}\nlast=1\n`);
  const states: string[] = [];
  const path = disk(before);
  const after = block(`next_entry=\nlong=${long}\nlast=2\n`);
  const plan = planned(before, after);
  t.ok(plan, 'every line stays in its place');
  t.equal(plan!.order.length, 2);
  replaceBlock(identity(path), { disk: 0, at: 4096, before: base64(before), after: base64(after) }, () =>
    states.push(readFileSync(path).toString('latin1', 4096, 5120)),
  );
  t.equal(states.length, 1);
  t.ok(isSound(states[0]!), 'between the two it is a whole block');
  t.match(states[0], /next_entry=\n#+\nlong=x{520}\nlast=1\n/);
  t.match(readFileSync(path).toString('latin1', 4096, 5120), /next_entry=\n#+\nlong=x{520}\nlast=2\n/);
  const grows = block(`next_entry=a-longer-name-than-before\nlong=${long}\nlast=1\n`);
  t.equal(planned(before, grows), undefined, 'what must move across the sectors is not written');
});

t.test('without a word of the configuration nothing is written, and no helper stays', async (t) => {
  const path = join(dir, 'example.img');
  writeFileSync(path, readFileSync(join(ROOT, 'fixtures', 'images', 'example.img')));
  const out = join(dir, 'out');
  mkdirSync(out);
  const r = spawnSync(
    'env',
    [
      '-i',
      `PATH=${process.env.PATH}`,
      'node',
      join(ROOT, 'dist', 'nodegrub.js'),
      '-q',
      '--write-env',
      `--output-directory=${out}`,
      path,
    ],
    { encoding: 'utf8' },
  );
  t.equal(r.status, 0, r.stderr);
  t.ok(readFileSync(path).equals(readFileSync(join(ROOT, 'fixtures', 'images', 'example.img'))));
});
