/** Builds small PE images section by section, sound ones and others. */

export interface Made {
  readonly name: string;
  readonly data: Buffer | string;
  /** Instead of what is true. */
  readonly virtualSize?: number;
  readonly rawSize?: number;
  readonly at?: number;
}

export interface MadeOptions {
  readonly machine?: number;
  readonly sectionCount?: number;
  readonly magic?: number;
  readonly lfanew?: number;
  /** Sections' bytes start at multiples of this. */
  readonly alignment?: number;
}

export function makePe(sections: readonly Made[], options: MadeOptions = {}): Buffer {
  const { machine = 0x8664, alignment = 512 } = options;
  const start = 64;
  const optional = 112;
  const table = start + 24 + optional;
  const up = (n: number) => Math.ceil(n / alignment) * alignment;
  let at = up(table + sections.length * 40);
  const places = sections.map(({ data }) => {
    const here = at;
    at = up(at + data.length);
    return here;
  });
  const image = Buffer.alloc(at);
  image.write('MZ', 0, 'latin1');
  image.writeUInt32LE(options.lfanew ?? start, 0x3c);
  image.write('PE\0\0', start, 'latin1');
  image.writeUInt16LE(machine, start + 4);
  image.writeUInt16LE(options.sectionCount ?? sections.length, start + 6);
  image.writeUInt16LE(optional, start + 20);
  image.writeUInt16LE(options.magic ?? 0x20b, start + 24);
  sections.forEach((section, i) => {
    const data = Buffer.from(section.data as string, 'latin1');
    const header = table + i * 40;
    image.write(section.name.slice(0, 8), header, 'latin1');
    image.writeUInt32LE(section.virtualSize ?? data.length, header + 8);
    image.writeUInt32LE(0x1000 * (i + 1), header + 12);
    image.writeUInt32LE(section.rawSize ?? up(data.length), header + 16);
    image.writeUInt32LE(section.at ?? places[i]!, header + 20);
    data.copy(image, places[i]!);
  });
  return image;
}
