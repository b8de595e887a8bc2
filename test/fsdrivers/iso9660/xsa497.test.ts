/**
 * XSA-497 (28 July 2026): five lengths that libfsimage's iso9660 took from the disk as they were. Here each of them gets every
 * value, in a directory with Rock Ridge and continuation areas: what comes is names, a warning or a reason, and nothing is
 * read from outside the disk or the buffer (a Buffer has no outside; a RangeError of Node's would fail the test).
 */
import t from 'tap';
import { driver } from '../../../fsdrivers/iso9660/driver';
import { GuestError } from '../../../lib/bytes/errors';
import { MemorySource } from '../../../lib/source/types';
import { context, image } from '../../support';

const sound = image('iso9660-warned-name-length.img', 'malformed');
const BLOCK = 2048;

/** The record of the one file, in the root directory. */
function places() {
  const root = sound.readUInt32LE(16 * BLOCK + 156 + 2) * BLOCK;
  let at = root;
  while (sound.toString('latin1', at + 33, at + 39) !== 'FILE.;') {
    at += sound[at]!;
    if (at > root + BLOCK) throw new Error('no file');
  }
  const entry = (signature: string) => {
    const found = sound.indexOf(`${signature}`, at + 40, 'latin1');
    if (found < 0 || found > at + 255) throw new Error(`no ${signature}`);
    return found;
  };
  return { record: at, NM: entry('NM'), PX: entry('PX'), CE: entry('CE') };
}

/** Everything that a boot would ask of it. @returns what was said */
function look(change: (bytes: Buffer) => void): string {
  const bytes = Buffer.from(sound);
  change(bytes);
  const ctx = context(200_000);
  const said: string[] = [];
  const guarded = (act: () => void) => {
    try {
      act();
    } catch (error) {
      if (!(error instanceof GuestError)) throw error;
      said.push(error.describe());
    }
  };
  guarded(() => {
    const fs = driver.open([new MemorySource(bytes)], ctx, { others: () => [] });
    const names: string[] = [];
    guarded(() => {
      for (const entry of fs.readdir(fs.root)) {
        names.push(entry.name);
        guarded(() => void entry.node());
      }
    });
    for (const name of [...names, 'file', 'nothing']) guarded(() => void fs.lookup(fs.root, name));
  });
  return [...ctx.warnings, ...said].join('\n');
}

const bytesOf = Array.from({ length: 256 }, (_, i) => i);
const { record, NM, PX, CE } = places();

/** Each length set to every value. @returns how many of them gave a warning or a reason */
const sweep = (...at: readonly number[]): number =>
  at
    .flatMap((place) => bytesOf.map((value) => look((b) => b.writeUInt8(value, place))))
    .filter((said) => said !== '' && !/^a name of more than 255 bytes is cut$/.test(said)).length;

t.test('CVE-2026-42494: the length of a directory record', async (t) => {
  t.ok(sweep(record) > 50);
  t.match(
    look((b) => b.writeUInt8(20, record)),
    /record of 20 bytes, minimum 34/,
  );
});

t.test('CVE-2026-42495: the System Use area, whose length is what the identifier leaves', async (t) => {
  t.ok(sweep(record + 32) > 50);
  t.match(
    look((b) => b.writeUInt8(255, record + 32)),
    /identifier of 255 bytes in a record of \d+/,
  );
});

t.test('CVE-2026-62423: the length of an entry of it', async (t) => {
  t.ok(sweep(PX + 2, NM + 2, CE + 2) > 50);
  for (const length of [0, 1, 2, 3, 255])
    t.match(
      look((b) => b.writeUInt8(length, PX + 2)),
      new RegExp(`System Use entry of ${length} bytes, \\d+ are left`),
    );
});

t.test('CVE-2026-62424: a name (NM) that is shorter than its own head', async (t) => {
  const names: string[] = [];
  for (const length of [4, 5]) {
    const bytes = Buffer.from(sound);
    bytes[NM + 2] = length;
    const ctx = context();
    const fs = driver.open([new MemorySource(bytes)], ctx, { others: () => [] });
    for (const { name } of fs.readdir(fs.root)) names.push(`${length}: ${name.length} bytes`);
  }
  // What it does not say, the record's identifier or the continuation says.
  t.ok(names.length >= 2 && names.every((name) => !/: 0 bytes/.test(name)), names.join('; '));
});

t.test('CVE-2026-62425: where a continuation area (CE) lies, and how long it is', async (t) => {
  const fields = { block: CE + 4, offset: CE + 12, length: CE + 20 };
  const values = [0, 1, 16, 17, 18, 310, 2047, 2048, 2049, 65535, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1];
  const said: string[] = [];
  for (const block of values)
    for (const offset of values)
      for (const length of values)
        said.push(
          look((b) => {
            b.writeUInt32LE(block, fields.block);
            b.writeUInt32LE(offset, fields.offset);
            b.writeUInt32LE(length, fields.length);
          }),
        );
  t.ok(said.filter((text) => /bytes, maximum 2048/.test(text)).length > 500, 'too long');
  t.ok(said.filter((text) => /ends at byte \d+, the disk has/.test(text)).length > 300, 'outside');
});
