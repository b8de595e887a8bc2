/** Makes small ELF files with notes, for tests. Layout: elf(5). */

export interface Note {
  readonly name?: string;
  readonly type: number;
  readonly text?: string;
}

function notesOf(notes: readonly Note[]): Buffer {
  const parts: Buffer[] = [];
  const padded = (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
  for (const { name = 'Xen', type, text = '' } of notes) {
    const head = Buffer.alloc(12);
    const [nameBytes, description] = [Buffer.from(`${name}\0`, 'latin1'), Buffer.from(text, 'latin1')];
    head.writeUInt32LE(nameBytes.length, 0);
    head.writeUInt32LE(description.length, 4);
    head.writeUInt32LE(type, 8);
    parts.push(head, padded(nameBytes), padded(description));
  }
  return Buffer.concat(parts);
}

/**
 * A 64- or 32-bit file with the notes in a segment, or in a section alone, or with a `__xen_guest` section.
 */
export function elf(given: {
  bits?: 32 | 64;
  segment?: readonly Note[];
  section?: readonly Note[];
  guest?: string;
}): Buffer {
  const wide = (given.bits ?? 64) === 64;
  const head = Buffer.alloc(wide ? 64 : 52);
  head.write('\x7fELF', 0, 'latin1');
  head.set([wide ? 2 : 1, 1, 1], 4);
  head.writeUInt16LE(2, 16);
  head.writeUInt16LE(wide ? 62 : 3, 18);
  head.writeUInt32LE(1, 20);
  const word = (buffer: Buffer, at: number, value: number) => buffer.writeUInt32LE(value, at);
  const body: Buffer[] = [];
  let at = head.length;
  const put = (bytes: Buffer): number => {
    const place = at;
    body.push(bytes);
    at += bytes.length;
    return place;
  };
  if (given.segment) {
    const notes = notesOf(given.segment);
    const place = put(notes);
    const header = Buffer.alloc(wide ? 56 : 32);
    word(header, 0, 4);
    word(header, wide ? 8 : 4, place);
    word(header, wide ? 32 : 16, notes.length);
    word(header, wide ? 40 : 20, notes.length);
    word(head, wide ? 32 : 28, put(header));
    head.writeUInt16LE(header.length, wide ? 54 : 42);
    head.writeUInt16LE(1, wide ? 56 : 44);
  }
  if (given.section || given.guest !== undefined) {
    const names = Buffer.from('\0.shstrtab\0.note.Xen\0__xen_guest\0', 'latin1');
    const rows: [name: number, type: number, bytes: Buffer][] = [[1, 3, names]];
    if (given.section) rows.push([11, 7, notesOf(given.section)]);
    if (given.guest !== undefined) rows.push([21, 1, Buffer.from(`${given.guest}\0`, 'latin1')]);
    const size = wide ? 64 : 40;
    const table = Buffer.alloc(size * (rows.length + 1));
    rows.forEach(([name, type, bytes], i) => {
      const row = size * (i + 1);
      word(table, row, name);
      word(table, row + 4, type);
      word(table, row + (wide ? 24 : 16), put(bytes));
      word(table, row + (wide ? 32 : 20), bytes.length);
    });
    word(head, wide ? 40 : 32, put(table));
    const counts = wide ? 58 : 46;
    head.writeUInt16LE(size, counts);
    head.writeUInt16LE(rows.length + 1, counts + 2);
    head.writeUInt16LE(1, counts + 4);
  }
  head.writeUInt16LE(head.length, wide ? 52 : 40);
  return Buffer.concat([head, ...body]);
}

/** FreeBSD 13 and later: PVH only. */
export const FREEBSD = elf({
  segment: [
    { type: 6, text: 'FreeBSD\0' },
    { type: 5, text: 'xen-3.0\0' },
    { type: 8, text: 'generic\0' },
    { type: 18, text: '\0\0\x20\0\0\0\0\0' },
  ],
});
