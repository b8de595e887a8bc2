/** Volumes that cryptsetup formatted and Linux wrote: what comes out, which header and which slot are used. */
import * as crypto from 'node:crypto';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { openFileSystem } from '../../../fsdrivers';
import { GuestError } from '../../../lib/bytes/errors';
import { readWhole } from '../../../lib/fs/file';
import { tryWalk } from '../../../lib/fs/walk';
import { MemorySource } from '../../../lib/source/types';
import { openLuks, openVolume, readHeader } from '../../../lib/volume/luks/luks';
import { context, image, ROOT, source } from '../../support';
import { changed, FIXTURES, jsonOf, KEY, PASSPHRASE, resum, writeText } from './samples';

interface Expected {
  kind: string;
  size?: number;
  sha256?: string;
}
const expected = Object.entries(
  JSON.parse(readFileSync(join(ROOT, 'fixtures/images/luks.expected.json'), 'utf8')) as Record<
    string,
    Expected
  >,
);

for (const [name, secret] of Object.entries(FIXTURES))
  t.test(`${name}: every file`, async (t) => {
    const ctx = context();
    const opened = await openVolume(source(name), [Buffer.from('wrong'), secret], ctx);
    const fs = openFileSystem(opened!, ctx, () => []);
    t.ok(expected.length > 5);
    for (const [path, { kind, size, sha256 }] of expected) {
      const node = tryWalk(fs!, path)!;
      if (kind !== 'file') continue;
      t.equal(node.size, size, path);
      t.equal(
        createHash('sha256')
          .update(readWhole(fs!, node, 'payloadBytes', ctx))
          .digest('hex'),
        sha256,
        path,
      );
    }
    t.same(ctx.warnings, []);
  });

for (const [name, secret] of Object.entries(FIXTURES))
  t.test(`${name}: other secrets`, async (t) => {
    const wrong = [Buffer.from('wrong'), Buffer.concat([secret, Buffer.from('\n')])];
    for (const other of [...wrong, secret.subarray(0, secret.length - 1)])
      t.equal(await openVolume(source(name), [other], context()), undefined);
  });

for (const name of Object.keys(FIXTURES))
  t.test(`${name}: nothing typed`, async (t) => {
    const opened = openVolume(source(name), [Buffer.alloc(0)], context());
    // hash-wasm cannot try it: that is said, and no defect of ours.
    if (name === 'luks-1.img' || 'argon2Sync' in crypto) t.equal(await opened, undefined);
    else await t.rejects(opened, { code: 'unsupported', message: /empty passphrase/ });
  });

t.test('places and lengths that are no sectors', async (t) => {
  for (const [name, secret] of Object.entries(FIXTURES)) {
    const opened = (await openVolume(source(name), [secret], context()))!;
    const all = Buffer.alloc(400_000);
    opened.read(0, all);
    let seed = 1;
    const random = (below: number) => {
      seed = (seed * 48271) % 0x7fffffff;
      return seed % below;
    };
    for (let i = 0; i < 300; i++) {
      const at = random(399_000);
      const length = random(Math.min(i % 10 === 0 ? 200_000 : 6000, 400_000 - at));
      // Any alignment in memory.
      const into = Buffer.alloc(length + 8).subarray(i % 8, (i % 8) + length);
      opened.read(at, into);
      if (!into.equals(all.subarray(at, at + length))) t.fail(`${name}: ${length} bytes at ${at}`);
    }
    t.throws(() => opened.read(opened.size - 1, Buffer.alloc(2)), { code: 'corrupt' });
    t.equal(opened.size, image(name).length - (name === 'luks-1.img' ? headerBytes(name) : 1024 * 512));
  }
});

/** LUKS1's payload offset. */
const headerBytes = (name: string) => image(name).readUInt32BE(104) * 512;

const opens = async (at: MemorySource, secret: Buffer = PASSPHRASE, lost = false) => {
  const ctx = context();
  const header = readHeader(at, ctx, lost);
  return { ctx, opened: header && (await openLuks(at, header, [secret], ctx)) };
};

t.test('LUKS2: one copy of the header is damaged', async (t) => {
  for (const [what, damage] of [
    ['JSON of the first', (b: Buffer) => b.write('x', 4100)],
    ['sum of the first', (b: Buffer) => b.fill(0, 448, 512)],
    ['size of the first', (b: Buffer) => b.writeUInt32BE(0x1234, 12)],
    ['offset of the first', (b: Buffer) => b.writeUInt32BE(0x4000, 260)],
    ['all of the second', (b: Buffer) => b.fill(0, 0x4000, 0x8000)],
    ['JSON of the second', (b: Buffer) => b.write('x', 0x4000 + 4100)],
  ] as const) {
    const { ctx, opened } = await opens(changed('luks-2.img', damage));
    t.ok(opened, what);
    t.match(ctx.warnings, [/one copy of the LUKS2 header is damaged/], what);
  }
  const gone = changed('luks-2.img', (b) => b.fill(0, 0, 0x4000));
  t.equal(readHeader(gone, context()), undefined, 'not looked for');
  t.ok((await opens(gone, PASSPHRASE, true)).opened, 'looked for');
  const both = await opens(
    changed('luks-2.img', (b) => {
      b.fill(0, 448, 512);
      b.fill(0, 0x4000 + 448, 0x4000 + 512);
    }),
  );
  t.ok(both.opened, 'the digest of the key decides');
  t.match(both.ctx.warnings, [/no copy of the LUKS2 header has its checksum/]);
});

t.test('LUKS2: the newer copy counts', async (t) => {
  for (const newer of [0, 0x4000]) {
    const at = changed('luks-2.img', (b) => {
      const json = jsonOf(b);
      json.digests[0].keyslots = [];
      writeText(b, JSON.stringify(json), [0x4000 - newer]);
      b.writeUInt32BE(77, newer + 20);
      resum(b, newer);
    });
    t.ok((await opens(at)).opened, `at ${newer}`);
    t.notOk(
      (
        await opens(
          changed('luks-2.img', (b) => {
            const json = jsonOf(b);
            json.digests[0].keyslots = [];
            writeText(b, JSON.stringify(json), [newer]);
            b.writeUInt32BE(77, newer + 20);
            resum(b, newer);
          }),
        )
      ).opened,
      `the other way round, ${newer}`,
    );
  }
});

t.test('LUKS2: priorities', async (t) => {
  const order = (priorities: (number | undefined)[]) => {
    const at = changed('luks-2.img', (b) => {
      const json = jsonOf(b);
      const slot = json.keyslots[0];
      json.keyslots = Object.fromEntries(priorities.map((priority, i) => [i, { ...slot, priority }]));
      json.digests[0].keyslots = priorities.map((_, i) => String(i));
      writeText(b, JSON.stringify(json));
    });
    return readHeader(at, context())!.slots.map(({ id }) => id);
  };
  t.same(order([1, 2, 0, undefined]), ['1', '0', '3'], 'preferred first, ignored never');
  t.same(
    order(Array.from({ length: 12 }, () => undefined)),
    Array.from({ length: 12 }, (_, i) => String(i)),
  );
});

t.test('one slot is broken, another opens', async (t) => {
  const at = changed('luks-2.img', (b) => {
    const json = jsonOf(b);
    const slot = json.keyslots[0];
    json.keyslots = { 0: { ...slot, area: { ...slot.area, offset: '99999999999' } }, 1: slot };
    json.digests[0].keyslots = ['0', '1'];
    writeText(b, JSON.stringify(json));
  });
  t.ok((await opens(at)).opened);
  await t.rejects(opens(at, KEY), { code: 'corrupt', where: ['key slot 0', 'changed'] });
});

t.test('a detached header', async (t) => {
  const whole = image('luks-1.img');
  const start = headerBytes('luks-1.img');
  const head = Buffer.from(whole.subarray(0, start));
  // As `luksFormat --header` writes it.
  head.writeUInt32BE(0, 104);
  const on = new MemorySource(head, 'header');
  const data = new MemorySource(whole.subarray(start), 'data');
  const ctx = context();
  const opened = await openLuks(data, readHeader(on, ctx)!, [PASSPHRASE], ctx, { on });
  t.equal(openFileSystem(opened!, ctx, () => [])?.label, 'label');
});

t.test('secrets are not changed, keys not kept', async (t) => {
  const secret = Buffer.from(PASSPHRASE);
  const at = source('luks-1.img');
  await openVolume(at, [secret], context());
  t.same(secret, PASSPHRASE);
  t.same(at.bytes, image('luks-1.img'), 'key material is wiped in a copy');
  try {
    await openVolume(
      changed('luks-1.img', (b) => b.writeUInt32BE(0xffffff, 248)),
      [secret],
      context(),
    );
    t.fail();
  } catch (error) {
    t.ok(error instanceof GuestError);
    t.notMatch(String(error), 'passphrase');
  }
});
