// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are GRUB's variables
/** GRUB's command line against GRUB: lines and Tab keys typed into grub-emu on a pseudoterminal, on the same disk. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import t, { type Test } from 'tap';
import { expandTabs, onDisk } from '../boot/grub2/commands/disk';
import { Console } from '../menu/pty';
import { ROOT } from '../support';
import { scratch } from './support';

const CONFIG = 'set root=hd0,gpt2\nfunction g { echo "g $1"; }\nset mine=1\n';

/** A program that shows how far a file is read, in the middle of what is printed. */
const PROGRESS = / {0,6}\[ [^\]]*\d+% {2}[^\]]*B\/s \]/g;

class GrubEmu {
  private constructor(readonly console: Console) {}

  static async start(t: Test): Promise<GrubEmu> {
    const dir = scratch(t);
    mkdirSync(join(dir, 'grub'));
    writeFileSync(join(dir, 'grub', 'grub.cfg'), CONFIG);
    const image = readFileSync(join(ROOT, 'fixtures', 'images', 'grub2-commands.img.gz'));
    writeFileSync(join(dir, 'disk.img'), gunzipSync(image));
    writeFileSync(join(dir, 'map'), `(hd0) ${join(dir, 'disk.img')}\n`);
    const console = Console.start(['-d', join(dir, 'grub'), '-m', join(dir, 'map'), '-r', 'host'], {
      program: ['/usr/bin/grub-emu'],
      cols: 500,
      rows: 150,
    });
    t.teardown(() => console.close());
    await console.until(/grub>$/);
    return new GrubEmu(console);
  }

  async run(line: string, prompt: string): Promise<{ output: string; more: boolean }> {
    this.console.write(`${line}\r`);
    await this.console.settled(250);
    const rows = this.console.text().split('\n');
    const from = rows.lastIndexOf((prompt + line).trimEnd(), rows.length - 2);
    if (from < 0) throw new Error(`${line} is not on the screen:\n${rows.join('\n')}`);
    const said = rows.slice(from + 1, -1);
    return {
      output: said.map((row) => `${row.replace(PROGRESS, '')}\n`).join(''),
      more: rows.at(-1) === '>',
    };
  }

  /** The line after Tab, and what is listed. */
  async tab(line: string): Promise<[string, string]> {
    this.console.write(`${line}\t`);
    await this.console.settled(250);
    const rows = this.console.text().split('\n');
    const { x } = this.console.cursor();
    const after = rows.at(-1)!.padEnd(x).slice('grub> '.length, x);
    const from = rows.lastIndexOf(`grub> ${line}`, rows.length - 2);
    const listed = from < 0 ? [] : rows.slice(from + 1, -1);
    this.console.write('\x15');
    await this.console.settled(100);
    return [after, listed.join('\n')];
  }
}

const trimmed = (text: string) => text.replace(/ +$/gm, '');

t.test('lines', async (t) => {
  const grub = await GrubEmu.start(t);
  const shell = onDisk(CONFIG).menu.shell!();
  let prompt = 'grub> ';
  for (const line of [
    ...[
      'g 2',
      'echo $mine $root',
      'set mine=3',
      'g; echo $mine',
      'foo',
      'echo $?',
      'boot',
      'cat /sub',
      'set x',
    ],
    ...[
      'ls /nope',
      'ls /',
      'ls /sub',
      'ls hello',
      'ls (hd0)',
      'ls (hd0)/',
      'ls (hd0,gpt3)/',
      'cat /hello',
      'cat',
    ],
    ...['cat (hd0,gpt9)/hello', 'cat hello', 'ls (hd0,gpt2', 'loopback l /nope', 'search --file /nope'],
    ...[
      'loopback l /inner.img',
      'cat (l)/inside',
      'test a = b',
      'echo $?',
      'false; echo $?',
      'unset',
      'return',
    ],
    ...[
      'break',
      'shift',
      'setparams a',
      'configfile',
      'configfile x y',
      '!',
      '! foo',
      '"" x',
      '$nothing',
      "''",
    ],
    ...[
      'if true; then',
      'echo hi',
      'fi',
      'echo "abc',
      'def"',
      "echo 'abc",
      "def'",
      'echo a\\',
      'b',
      'echo $"abc',
      'd"',
    ],
    ...[
      'menuentry x {',
      'echo hi',
      '}',
      'function f {',
      'echo f $1',
      '}',
      'f 3',
      'for x in a b',
      'do',
      'echo $x',
    ],
    ...[
      'done',
      'if true; then',
      '}',
      'if',
      'true; fi',
      'fi',
      '}',
      'then',
      'echo a; | b',
      'echo a | b',
      'echo $',
    ],
    ...[
      'echo "$ a"',
      'while false',
      'do',
      'true',
      'done',
      '# if',
      '   ',
      'echo hi # there',
      'echo a;; echo b',
      'x=1',
    ],
    ...[
      'set 1=2',
      'echo ${x}y',
      'echo /h*',
      'echo (hd0,gpt?)',
      'source /nope',
      'eval echo a; echo b',
      'regexp ( a',
    ],
    ...[
      'md5sum /hello',
      'sha1sum /nope',
      'help nope',
      'list_env -f /env/plain',
      'probe -f hd0,gpt2',
      'insmod nope',
    ],
  ]) {
    const wanted = await grub.run(line, prompt);
    const { output, how } = shell.run(line);
    // GRUB's prompt begins a line.
    const said = output.replace(/^note: .*\n/gm, '').replace(/[^\n]$/, '$&\n');
    t.equal(how === 'more', wanted.more, `${line}: more`);
    t.equal(trimmed(expandTabs(said)), trimmed(wanted.output), line);
    prompt = wanted.more ? '> ' : 'grub> ';
  }
});

t.test('Tab', async (t) => {
  const grub = await GrubEmu.start(t);
  const shell = onDisk(CONFIG).menu.shell!();
  for (const line of [
    ...[
      'ech',
      'hashs',
      'loadf',
      'ls (hd0,g',
      'ls (hd0,gpt2',
      'ls (hd0,gpt2)',
      'ls (hd0,gpt2)/',
      'ls (hd0,gpt2)/s',
    ],
    ...[
      'ls /h',
      'ls /s',
      'ls /su',
      'ls /sub',
      'ls /sub/',
      'ls /sub/d',
      'ls /b',
      'cat /nope',
      "ls '/he",
      'ls "/he',
    ],
    ...['ls /hello /b', 'ls /env/', 'cat /env/s', 'cat (hd0,gpt1)/on', 'ls (hd0,gpt3)/'],
  ]) {
    const [after, listed] = await grub.tab(line);
    const { start, insert, candidates } = shell.complete(line, line.length);
    t.equal(line.slice(0, start) + insert, after, line);
    const wanted = /^Possible files are:\s+([\s\S]+)/.exec(listed);
    if (wanted) t.same(candidates, wanted[1]!.trim().split(/\s+/).sort(), `${line}: listed`);
  }
});
