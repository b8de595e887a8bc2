/**
 * The menu's text buffers against whom they follow, with the same keys on a pty: the editor of an entry against
 * grub-emu's, the single line against readline (in bash). `SEEDS=N` tries more random ones.
 */
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { editorKey, editorOf } from '../../menu/editor';
import { isText, lineKey, lineOf } from '../../menu/line';
import { generator } from '../boot/dialect';
import { Console } from '../menu/pty';
import { scratch } from './support';

const SEEDS = Number(process.env.SEEDS ?? 4);

/** What a terminal sends for a key. */
function sent(key: string): string {
  const named: Record<string, string> = {
    up: '\x1b[A',
    down: '\x1b[B',
    right: '\x1b[C',
    left: '\x1b[D',
    home: '\x1b[H',
    end: '\x1b[F',
    delete: '\x1b[3~',
    enter: '\r',
    backspace: '\x7f',
  };
  if (named[key]) return named[key];
  if (/^\^[a-z]$/.test(key)) return String.fromCharCode(key.charCodeAt(1) & 31);
  return key.startsWith('M-') ? `\x1b${key.slice(2)}` : key;
}

t.test('the entry editor of grub-emu', async (t) => {
  const dir = scratch(t);
  const lines = ['', 'echo one two', 'echo three', '', 'echo four five six'];
  mkdirSync(join(dir, 'grub'));
  writeFileSync(join(dir, 'grub', 'grub.cfg'), `menuentry 'A' {${lines.join('\n')}\n}\n`);
  writeFileSync(join(dir, 'disk.img'), '');
  truncateSync(join(dir, 'disk.img'), 1 << 20);
  writeFileSync(join(dir, 'map'), `(hd0) ${join(dir, 'disk.img')}\n`);
  // GRUB goes to the first column when it goes up or down to a shorter line, and ^y of 2.06 brings back a quarter
  const keys =
    'a b x / enter backspace ^d delete ^k ^o left right ^b ^f ^a ^e ^a,down ^a,up ^a,^n ^a,^p ^e,^d ^a,backspace ^e,^k';
  for (let seed = 1; seed <= SEEDS; seed++) {
    const grub = Console.start(['-d', join(dir, 'grub'), '-m', join(dir, 'map'), '-r', 'host'], {
      program: ['grub-emu'],
      term: 'linux',
      cols: 100,
      rows: 60,
    });
    try {
      await grub.until(/\*A/);
      grub.write('e');
      await grub.until(/setparams[\s\S]*four/);
      await grub.settled();
      const below = generator(seed);
      const choice = keys.split(' ');
      // out of the mode for whole lines
      let state = editorKey(editorOf(`setparams 'A'\n${lines.join('\n')}\n\n`), '^a', 10).state;
      const typed: string[] = [];
      for (let i = 0; i < 60; i++) {
        for (const key of choice[below(choice.length)]!.split(',')) {
          typed.push(key);
          grub.write(sent(key));
          state = editorKey(state, key, 10).state;
        }
        // GRUB drops what comes faster than it draws
        await grub.settled(25);
      }
      const text = () =>
        Array.from({ length: state.lines.length }, (_, i) =>
          (grub.rows()[4 + i] ?? '').slice(2, -1).trimEnd(),
        );
      const place = () => `${grub.cursor().y - 4}:${grub.cursor().x - 2}`;
      const wanted = `${state.row}:${state.column}`;
      await grub.until(() => place() === wanted, 3000).catch(() => {});
      await grub.settled();
      t.same(state.lines, text(), `seed ${seed}: ${typed.join(' ')}`);
      t.equal(wanted, place(), `seed ${seed}: the cursor`);
    } finally {
      await grub.close();
    }
  }
});

t.test('readline', async (t) => {
  const out = join(scratch(t), 'lines');
  writeFileSync(out, '');
  const below = generator(SEEDS);
  const pick = (from: string) => from.split(' ')[below(from.split(' ').length)]!;
  const texts = Array.from({ length: SEEDS * 15 }, () =>
    pick(
      "ls,(hd0,gpt1)/boot linux,/vmlinuz,root=/dev/vda1,,ro größe,der,wörter,中文,ok ,,a,,b_c.d-e,, ''",
    ).replace(/,/g, ' '),
  );
  const bash = Console.start(
    [
      '-c',
      'for text; do IFS= read -e -r -p "ready $((++n))> " -i "$text" line; printf "%s\\n" "$line" >>"$OUT"; done',
      'bash',
      ...texts,
    ],
    {
      program: ['bash', '--norc'],
      // a VT100 has no Delete key
      term: 'linux',
      cols: 200,
      env: { INPUTRC: '/dev/null', LC_ALL: 'C.UTF-8', OUT: out },
    },
  );
  const keys =
    'a x é 中 - left right ^b ^f home end ^a ^e backspace delete ^d ^k ^u ^w ^y M-b M-f M-d M-b M-f M-d ^w ^k';
  const wanted: { text: string; keys: string }[] = [];
  // readline's killed text outlives the line
  let killed = '';
  try {
    for (const [i, text] of texts.entries()) {
      await bash.until((c) => c.raw.includes(`ready ${i + 1}> `));
      let state = { ...lineOf(text), killed };
      const typed: string[] = [];
      for (let n = 5 + below(25); n > 0; n--) {
        const key = below(8) === 0 ? ' ' : pick(keys);
        // on an empty line ^d is the end of input
        if (key === '^d' && state.text === '') continue;
        state = lineKey(state, key).state;
        typed.push(key);
        bash.write(sent(key));
        // It takes an insertion and the key that is already there as one: two kills around it would count as a row.
        if (isText(key)) await bash.settled(10);
      }
      bash.write('\r');
      killed = state.killed;
      wanted.push({ text: state.text, keys: `${text}: ${typed.join(' ')}` });
    }
    t.equal((await bash.exit).status, 0);
  } finally {
    await bash.close();
  }
  const got = readFileSync(out, 'utf8').split('\n');
  t.equal(got.length, texts.length + 1);
  for (const [i, { text, keys }] of wanted.entries()) t.equal(text, got[i], keys);
});
