/** The document as a text for a person. */
import type {
  Advice,
  Content,
  DiskFacts,
  EntryFacts,
  Inspection,
  KernelFacts,
  PartitionFacts,
  Snippet,
} from './document';
import { type Look, Painter, type Style, safe, sizeText } from './paint';

export type { Look } from './paint';

/** Entries that are shown; `-l` and the JSON form have all. */
const MOST_ENTRIES = 40;

export function textOf(document: Inspection, look: Look): string {
  return new View(document, look).text();
}

class View {
  readonly #lines: string[] = [];
  readonly #p: Painter;

  constructor(
    readonly d: Inspection,
    look: Look,
  ) {
    this.#p = new Painter(look);
  }

  text(): string {
    const { d } = this;
    this.#verdict();
    for (const disk of d.disks) this.#disk(disk);
    this.#sets();
    this.#encrypted();
    this.#found();
    this.#entries();
    this.#kernel(d.kernel);
    this.#advice(d.advice);
    this.#xl();
    if (d.warnings.length > 0) {
      this.#head('Warnings');
      for (const warning of d.warnings) this.#item('yellow', '!', warning);
    }
    return `${this.#lines.join('\n')}\n`;
  }

  #line(text = ''): void {
    this.#lines.push(text);
  }

  #head(title: string): void {
    this.#line();
    this.#line(this.#p.paint('bold', title));
  }

  #item(style: Style | undefined, mark: string, text: string, indent = 4): void {
    const [first = '', ...rest] = this.#p.wrapped(text, indent);
    const start = `${' '.repeat(indent - 2)}${mark} `;
    this.#line((style ? this.#p.paint(style, start) : start) + first.slice(indent));
    for (const line of rest) this.#line(line);
  }

  #verdict(): void {
    const { d } = this;
    const name = safe(d.image);
    if (d.boot) {
      const what = d.boot.title === null ? safe(d.boot.kernel) : safe(d.boot.title || d.boot.where, 200);
      this.#line(`${this.#p.paint('bold', name)}: ${this.#p.paint('green', 'boots')} ${what}`);
      const names = [...new Set(d.systems.map((system) => system.name))].filter(
        (text) => !text.startsWith('a system'),
      );
      if (names.length > 0) this.#line(`  ${names.map((text) => safe(text, 100)).join(', ')}`);
      return;
    }
    this.#line(`${this.#p.paint('bold', name)}: ${this.#p.paint('red', 'does not boot')}`);
    for (const reason of d.reasons.slice(0, 8)) this.#item('red', '-', reason);
    if (d.reasons.length > 8) this.#line(`    … and ${d.reasons.length - 8} more`);
  }

  #disk(disk: DiskFacts): void {
    const what = {
      disk: disk.blockDevice ? 'block device' : `${disk.format} image`,
      'logical-volume': 'logical volume',
      array: 'array',
      decrypted: 'decrypted',
    }[disk.kind];
    this.#head(`${safe(disk.name)}${disk.path === null ? '' : `  ${safe(disk.path)}`}`);
    const table = disk.table
      ? `${disk.table.scheme === 'msdos' ? 'MBR' : disk.table.scheme.toUpperCase()}${disk.table.id === null ? '' : ` ${disk.table.id}`}`
      : 'no partition table';
    const code = disk.bootCode === null ? '' : `, boot code: ${disk.bootCode}`;
    const file =
      disk.format !== null && disk.format !== 'raw' && disk.fileSize !== null
        ? ` (the file: ${sizeText(disk.fileSize)})`
        : '';
    this.#line(`  ${what}, ${sizeText(disk.size)}${file}, ${table}${code}`);
    for (const entry of disk.elTorito)
      this.#line(`  El Torito: ${entry.platform}, ${entry.media}${entry.bootable ? '' : ', not bootable'}`);
    if (disk.content) {
      const c = disk.content;
      this.#line(
        `  holds ${[c.name, c.label === null ? '' : `label '${safe(c.label, 80)}'`, c.uuid ?? '']
          .filter(Boolean)
          .map((x) => safe(x))
          .join(', ')}`,
      );
      if (c.problem !== null) this.#item('yellow', '!', c.problem);
    }
    if (!disk.table) return;
    const rows = disk.table.partitions.map((p) => [
      p.name,
      p.device ?? '',
      sizeText(p.start),
      sizeText(p.size),
      safe(typeText(p), 60),
      p.flags.includes('active') ? 'active' : '',
      safe(holds(p), 80),
      safe(p.content?.label ?? '', 40),
      safe(p.content?.uuid ?? ''),
    ]);
    const styles = disk.table.partitions.map((p) =>
      p.flags.includes('beyond-end') || p.content?.problem || p.declaredSize > p.size ? 'yellow' : undefined,
    );
    const head = ['NAME', 'IN XEN', 'START', 'SIZE', 'TYPE', 'FLAG', 'HOLDS', 'LABEL', 'UUID'];
    for (const line of this.#p.table(head, rows, styles)) this.#line(line);
    for (const p of disk.table.partitions) {
      if (p.declaredSize > p.size)
        this.#item(
          'yellow',
          '!',
          `${p.name}: the table says ${p.declaredSize} bytes, the disk has ${p.size} of them: it is cut off`,
        );
      if (p.content?.problem) this.#item('yellow', '!', `${p.name}: ${p.content.problem}`);
    }
  }

  #sets(): void {
    const { groups, arrays } = this.d;
    for (const group of groups) {
      this.#head(`LVM group ${safe(group.name)}`);
      for (const pv of group.physicalVolumes)
        this.#line(
          `  physical volume ${safe(pv.uuid)}: ${pv.volume === null ? this.#p.paint('red', 'missing') : safe(pv.volume)}`,
        );
      const rows = group.logicalVolumes
        .filter((lv) => lv.visible)
        .map((lv) => [safe(lv.name), sizeText(lv.size), safe(lv.type), safe(lv.disk ?? '')]);
      if (rows.length > 0)
        for (const line of this.#p.table(['VOLUME', 'SIZE', 'TYPE', 'NAME HERE'], rows)) this.#line(line);
    }
    for (const array of arrays) {
      this.#head(`Array ${safe(array.name)}`);
      this.#line(
        `  ${array.level}, metadata ${array.metadata}, ${safe(array.disk ?? 'not usable')}, ${array.uuid}`,
      );
      array.members.forEach((member, i) => {
        this.#line(`  ${i}: ${member === null ? this.#p.paint('red', 'missing') : safe(member)}`);
      });
      for (const note of array.notes) this.#item('yellow', '!', note);
    }
  }

  #encrypted(): void {
    for (const e of this.d.encrypted) {
      this.#head(`Encrypted: ${safe(e.volume)}`);
      const parts = [
        e.type,
        e.cipher === null ? '' : safe(e.cipher, 60),
        e.keyBits === null ? '' : `key of ${e.keyBits} bits`,
        e.slots.length > 0 ? `${e.slots.length} key slots (${[...new Set(e.slots)].join(', ')})` : '',
        e.uuid === null ? '' : safe(e.uuid, 60),
      ];
      this.#line(`  ${parts.filter(Boolean).join(', ')}`);
      this.#item(undefined, '-', e.how);
    }
  }

  #found(): void {
    const { configurations } = this.d;
    if (configurations.length === 0) return;
    this.#head('Configurations');
    for (const c of configurations) {
      const place = `(${safe(c.volume)})${safe(c.path)}`;
      const count = `${c.entries} ${c.entries === 1 ? 'entry' : 'entries'}`;
      this.#item(
        c.chosen ? 'green' : undefined,
        c.chosen ? '*' : '-',
        `${c.dialect} ${place} on ${c.filesystem}, ${count}: ${c.why}`,
      );
    }
  }

  #entries(): void {
    const { entries } = this.d;
    if (entries.length === 0) return;
    this.#head(entries.length === 1 ? 'Entry' : `Entries (* is the default)`);
    for (const entry of entries.slice(0, MOST_ENTRIES)) this.#entry(entry);
    if (entries.length > MOST_ENTRIES)
      this.#line(`    … and ${entries.length - MOST_ENTRIES} more: nodegrub -l, or --output-format=json`);
  }

  #entry(entry: EntryFacts): void {
    const titles = entry.titles.map((title) => safe(title, 200)).join(' > ');
    const mark = entry.default ? '*' : ' ';
    this.#line(this.#p.paint(entry.default ? 'green' : 'bold', `  ${mark} ${entry.index}  ${titles}`));
    const row = (name: string, text: string) => {
      if (text !== '')
        for (const line of this.#p.wrapped(`${name.padEnd(7)} ${text}`, 14, 6)) this.#line(line);
    };
    row('kernel', safe(entry.kernel ?? '', 4096));
    row('initrd', entry.initrd.map((path) => safe(path, 4096)).join(' '));
    row('args', safe(entry.args, 4096));
    if (entry.problem !== null) this.#item('red', '!', entry.problem, 8);
  }

  #kernel(kernel: KernelFacts | null): void {
    if (!kernel) return;
    this.#head(`Kernel ${safe(kernel.path)}`);
    const parts = [
      kernel.release === null ? '' : safe(kernel.release, 120),
      kernel.machine ?? '',
      kernel.format ?? 'in no form that is known',
      kernel.compression === null ? '' : `packed by ${kernel.compression}`,
      sizeText(kernel.size),
    ];
    this.#line(`  ${parts.filter(Boolean).join(', ')}`);
    const able = (name: string, value: boolean | null) =>
      `${name} ${value === null ? this.#p.paint('yellow', 'not known') : value ? this.#p.paint('green', 'yes') : this.#p.paint('red', 'no')}`;
    this.#line(`  starts as: ${able('PV', kernel.pv)}, ${able('PVH', kernel.pvh)}`);
    const { blkfront, netfront, source } = kernel.drivers;
    if (source !== null)
      this.#line(
        `  Xen's drivers: disk ${blkfront ?? 'not known'}, network ${netfront ?? 'not known'} (${safe(source, 200)})`,
      );
    for (const note of kernel.notes) this.#item('yellow', '!', note);
    if (kernel.problem !== null) this.#item('yellow', '!', kernel.problem);
  }

  #advice(list: readonly Advice[]): void {
    if (list.length === 0) return;
    this.#head('For a move to Xen');
    const styles = { needed: 'red', advised: 'yellow', note: undefined } as const;
    for (const { level, seen, change } of list) {
      this.#item(styles[level], level === 'needed' ? '!' : '-', `${level}: ${seen}`);
      if (change !== null) for (const line of this.#p.wrapped(`→ ${change}`, 6, 4)) this.#line(line);
    }
  }

  #xl(): void {
    const { xl, boots, systems } = this.d;
    const windows = systems.some((system) => system.name.startsWith('Windows'));
    if (boots) {
      this.#snippet('xl.cfg: PVH', xl.pvh);
      this.#snippet('xl.cfg: PV', xl.pv);
      this.#snippet('xl.cfg: Direct Kernel Boot', xl.direct);
    }
    if (!boots && (windows || xl.hvm.starts)) this.#snippet('xl.cfg: HVM', xl.hvm);
  }

  #snippet(title: string, { starts, why, commands, lines }: Snippet): void {
    this.#head(starts ? title : `${title} ${this.#p.paint('red', '(does not start so)')}`);
    for (const reason of why) this.#item(undefined, '#', safe(reason), 4);
    for (const command of commands) this.#line(`  # ${safe(command, 8192)}`);
    for (const line of lines) this.#line(`  ${safe(line, 8192)}`);
  }
}

const typeText = (p: PartitionFacts): string =>
  p.flags.includes('beyond-end') ? `${p.typeName ?? p.type} (beyond the end)` : (p.typeName ?? p.type);

function holds({ content, flags }: PartitionFacts): string {
  if (!content) return flags.includes('extended') ? 'logical partitions' : '';
  return shortContent(content);
}

function shortContent(content: Content): string {
  if (content.kind === 'filesystem') return content.problem === null ? content.name : `${content.name} (!)`;
  if (content.kind === 'empty') return 'empty';
  if (content.kind === 'unknown' && content.problem === null && content.name.startsWith('bytes'))
    return 'random bytes';
  return content.name;
}
