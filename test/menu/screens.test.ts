/**
 * The pictures in docs/menu.md and the README are what the program shows on a terminal. `WRITE_DOCS=1 npm test -- test/menu/screens.test.ts`
 * makes them anew.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ROOT } from '../support';
import { entry, Guest, INITRD, LINUX } from './guest';
import type { Console } from './pty';
import { screenAsSvg } from './svg';

const body = (args: string) => [
  'insmod gzio',
  'search --no-floppy --label --set=root root',
  `${LINUX} root=/dev/xvda1 ro ${args}`,
  INITRD,
];
const CONFIG = `set default=0
set timeout=30
${entry('Debian GNU/Linux', ...body('quiet'))}
submenu 'Advanced options for Debian GNU/Linux' {
${entry('Debian GNU/Linux, with Linux 6.1.0-31-amd64', ...body('quiet'))}
${entry('Debian GNU/Linux, with Linux 6.1.0-31-amd64 (recovery mode)', ...body('single'))}
}
${entry('Memory test', `${LINUX} memtest`)}
`;

interface Screen {
  readonly title: string;
  /** @returns when the screen shows it */
  reach(console: Console): Promise<void>;
}

const SCREENS: Readonly<Record<string, Screen>> = {
  list: {
    title: 'The menu: a list of entries, the first one highlighted, with a countdown',
    reach: (console) => console.until(/boots in 30 s/),
  },
  edit: {
    title: 'The commands of an entry in the editor',
    async reach(console) {
      await console.until(/boots in/);
      console.write('e');
      await console.until(/insmod gzio/);
    },
  },
  command: {
    title: 'The command line: ls and probe over the guest’s disk',
    async reach(console) {
      await console.until(/boots in/);
      console.write('c');
      await console.until(/^grub> *$/m);
      for (const [line, answer] of [
        ['ls', /\(hd0,gpt1\)/],
        ['ls -l (hd0,gpt1)/boot/', /vmlinuz/],
        ['probe --fs-uuid (hd0,gpt1)', /6f1c2f0a/],
      ] as const) {
        console.write(`${line}\r`);
        await console.until(answer);
        await console.settled();
      }
    },
  },
};

/** What differs from one release or one second to the next. */
const steady = (svg: string) =>
  svg.replace(/(nodegrub )\d+\.\d+\.\d+\S*/g, '$1VERSION').replace(/boots in \d+ s/g, 'boots in N s');

for (const [name, { title, reach }] of Object.entries(SCREENS))
  t.test(`docs/menu-${name}.svg`, async (t) => {
    const guest = new Guest(t, CONFIG);
    const console = guest.start({ more: [] });
    await reach(console);
    await console.settled();
    const svg = screenAsSvg(console, title);
    const path = join(ROOT, 'docs', `menu-${name}.svg`);
    if (process.env.WRITE_DOCS) writeFileSync(path, svg);
    t.equal(steady(svg), steady(readFileSync(path, 'utf8')));
    t.ok(svg.length < 12_000, `${svg.length} bytes`);
    console.kill('SIGKILL');
    await console.exit;
  });

t.test('they are in the documents', async (t) => {
  const page = readFileSync(join(ROOT, 'docs/menu.md'), 'utf8');
  for (const name of Object.keys(SCREENS)) t.ok(page.includes(`(menu-${name}.svg)`), name);
  t.ok(readFileSync(join(ROOT, 'README.md'), 'utf8').includes('"docs/menu-list.svg"'));
});
