/** Guests for the menu's tests: the example disk with another grub.cfg, and what became of a run. */
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { Test } from 'tap';
import { ROOT } from '../support';
import { Console, type ConsoleOptions } from './pty';

const EXAMPLE = readFileSync(join(ROOT, 'fixtures', 'images', 'example.img'));
export const expected = JSON.parse(
  readFileSync(join(ROOT, 'fixtures', 'images', 'example.expected.json'), 'utf8'),
);
/** Commands of an entry that boots. */
export const LINUX = `linux ${expected.kernel.path}`;
export const INITRD = `initrd ${expected.ramdisk.path}`;

export const entry = (title: string, ...lines: string[]): string =>
  `menuentry '${title}' {\n${lines.join('\n')}\n}\n`;

/** The example disk with this text (bytes as latin1) as its grub.cfg; at most 3,999 bytes. */
export function diskWith(config: string): Buffer {
  const disk = Buffer.from(EXAMPLE);
  const start = disk.indexOf("# The example disk's menu");
  const text = Buffer.alloc(disk.indexOf(0, start) - start, '\n');
  if (text.write(config, 'latin1') < config.length) throw new Error(`${config.length} bytes do not fit`);
  text.copy(disk, start);
  return disk;
}

export interface Outcome {
  readonly status: number;
  readonly kernel: string | undefined;
  readonly ramdisk: string | undefined;
  readonly args: string | undefined;
}

/** Of every run: `--sandbox=strict` (.ci/run). */
const OPTIONS = process.env.NODEGRUB_MENU_OPTIONS?.split(' ') ?? [];

export class Guest {
  readonly #t: Test;
  readonly #work = mkdtempSync(join(tmpdir(), 'nodegrub-menu-'));
  readonly disk = join(this.#work, 'guest.img');
  readonly out = join(this.#work, 'out');
  readonly result = join(this.#work, 'result');

  /** @param config grub.cfg; undefined: the example's own; a Buffer: the disk itself */
  constructor(t: Test, config?: string | Buffer) {
    this.#t = t;
    t.teardown(() => rmSync(this.#work, { recursive: true }));
    mkdirSync(this.out);
    writeFileSync(
      this.disk,
      config === undefined ? EXAMPLE : typeof config === 'string' ? diskWith(config) : config,
    );
  }

  get arguments(): string[] {
    return [`--output=${this.result}`, '--output-format=simple0', `--output-directory=${this.out}`];
  }

  start(options: ConsoleOptions & { more?: string[]; shell?: boolean } = {}): Console {
    const args = [...this.arguments, ...OPTIONS, ...(options.more ?? ['--menu-timeout=forever']), this.disk];
    // xl's pty is raw.
    const console = options.shell
      ? Console.startInShell(args, options)
      : Console.start(args, { stty: 'raw -echo', ...options });
    this.#t.teardown(() => console.kill('SIGKILL'));
    return console;
  }

  /** What a run left. Files that nobody was told of are an error. */
  async outcome(console: Console): Promise<Outcome> {
    const { status } = await console.exit;
    const items = new Map<string, string>();
    try {
      for (const item of readFileSync(this.result, 'latin1').split('\0')) {
        const blank = item.indexOf(' ');
        if (blank > 0) items.set(item.slice(0, blank), item.slice(blank + 1));
      }
    } catch {
      // None was made, or it was removed.
    }
    const named = ['kernel', 'ramdisk'].map((word) => items.get(word)).filter((path) => path !== undefined);
    // After a signal the janitor removes them, a moment after the program has gone.
    const found = () => readdirSync(this.out).map((name) => join(this.out, name));
    let left = found();
    for (let tries = 0; left.length > named.length && tries < 20; tries++) {
      await setTimeout(50);
      left = found();
    }
    if (left.sort().join() !== [...named].sort().join())
      throw new Error(`files left: ${left}, named: ${named}`);
    const sum = (path: string | undefined) =>
      path === undefined ? undefined : createHash('sha256').update(readFileSync(path)).digest('hex');
    return {
      status,
      kernel: sum(items.get('kernel')),
      ramdisk: sum(items.get('ramdisk')),
      args: items.get('args'),
    };
  }
}

/** The row of the screen that is highlighted, without marks and box; '' when none is. */
export function selected(console: Console): string {
  for (const [y, row] of console.rows().entries()) {
    for (let x = 0; x < Math.min(row.length, 8); x++) {
      if (!console.cell(x, y).inverse) continue;
      const end = row.search(/\s*[|^v│↑↓]?$/);
      return row.slice(x, end).replace(/^\*/, '').trim();
    }
  }
  return '';
}

/** Presses keys and waits until an entry is selected. */
export async function press(console: Console, keys: string, wanted: string | RegExp): Promise<void> {
  console.write(keys);
  await console.until((c) => (typeof wanted === 'string' ? selected(c) === wanted : wanted.test(c.text())));
}
