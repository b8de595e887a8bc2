/** Types of the notes: Xen's public/elfnote.h. test/peers/otherloaders.test.ts compares with `readelf -n`. */
import t from 'tap';
import { GuestError } from '../../lib/bytes/errors';
import { fromBytes, toBytes } from '../../lib/bytes/text';
import { readXenNotes } from '../../lib/kernel/elf';
import { kernelKind } from '../../lib/kernel/head';
import { mutations } from '../boot/dialect';
import { MemoryFs } from '../boot/memfs';
import { context, rounds } from '../support';
import { elf, FREEBSD } from './elf';

function notesOf(file: Buffer) {
  const fs = new MemoryFs({ kernel: file });
  return readXenNotes(fs, fs.lookup(fs.root, 'kernel')!, context());
}

t.test('how Xen can start a kernel', async (t) => {
  for (const [name, file, pv, pvh] of [
    ['FreeBSD', FREEBSD, false, true],
    ['32 bit, in a section', elf({ bits: 32, section: [{ type: 18, text: 'abcd' }] }), false, true],
    [
      'Linux',
      elf({
        section: [
          { type: 5, text: 'xen-3.0\0' },
          { type: 1, text: 'abcdefgh' },
          { type: 18, text: 'abcd' },
        ],
      }),
      true,
      true,
    ],
    [
      'NetBSD of old',
      elf({ guest: 'GUEST_OS=netbsd,GUEST_VER=3.0,XEN_VER=xen-3.0,LOADER=generic' }),
      true,
      false,
    ],
    ['another version of Xen', elf({ guest: 'XEN_VER=xen-2.0' }), false, false],
    [
      'notes of others',
      elf({
        segment: [
          { name: 'GNU', type: 18, text: 'abcd' },
          { name: 'FreeBSD', type: 1 },
        ],
      }),
      false,
      false,
    ],
    ['no notes', elf({}), false, false],
  ] as const) {
    const notes = notesOf(file);
    t.same([notes.pv, notes.pvh], [pv, pvh], name);
    t.equal(kernelKind(file), 'ELF');
  }
  t.equal(notesOf(FREEBSD).notes.get(6)?.toString('latin1'), 'FreeBSD\0');
  t.equal(notesOf(FREEBSD).machine, 'x86_64');
});

t.test('damaged', async (t) => {
  const bad = (change: (file: Buffer) => void, file = FREEBSD) => {
    const copy = Buffer.from(file);
    change(copy);
    return () => notesOf(copy);
  };
  t.throws(
    bad((f) => f.fill(0, 0, 4)),
    { code: 'corrupt', message: /no ELF/ },
  );
  t.throws(
    bad((f) => f.writeUInt8(2, 5)),
    { code: 'unsupported', message: /big-endian/ },
  );
  t.throws(
    bad((f) => f.writeUInt16LE(60000, 56)),
    { code: 'corrupt' },
  );
  t.throws(
    bad((f) => f.writeUInt32LE(0xfffffff0, 32)),
    { code: 'corrupt', message: /beyond the end/ },
  );
  t.throws(
    bad((f) => f.writeUInt32LE(0xffffffff, 36)),
    { code: 'corrupt' },
  );
  t.throws(
    bad((f) => f.writeUInt16LE(1, 54)),
    { code: 'corrupt' },
  );
  let n = 0;
  for (const source of [FREEBSD, elf({ bits: 32, section: [{ type: 18, text: 'abcd' }], guest: 'x' })])
    for (const text of mutations(fromBytes(source), 1500, 11)) {
      n++;
      try {
        notesOf(toBytes(text));
      } catch (error) {
        if (!(error instanceof GuestError)) throw error;
      }
    }
  t.equal(n, 2 * rounds(1500));
});
