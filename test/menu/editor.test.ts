/**
 * The editor of an entry. Where GRUB has the key, what it leaves was read off the screen of grub-emu 2.06
 * (test/peers/menu-editor.test.ts asks it again); the letters are those of pygrub's edit screen; the rest is Emacs's.
 */
import t from 'tap';
import { EDITOR_LIMITS, type EditorState, editorKey, editorOf, editorText } from '../../menu/editor';
import { generator } from '../boot/dialect';

const ENTRY = "setparams 'A'\n\necho one two\necho three\necho four five six\n";

/** Keys by name, or a word of single characters after a `:`. */
function press(state: EditorState, keys: string, page = 10): { state: EditorState; actions: string } {
  let now = state;
  const actions: string[] = [];
  for (const name of keys.split(' ').filter(Boolean))
    for (const key of name.length > 1 && name.startsWith(':') ? [...name.slice(1)] : [name]) {
      const next = editorKey(now, key, page);
      now = next.state;
      if (next.action) actions.push(next.action);
    }
  return { state: now, actions: actions.join(' ') };
}

/** The text with a bar where the cursor is. */
function shown(state: EditorState): string {
  const lines = [...state.lines];
  const line = [...lines[state.row]!];
  lines[state.row] = [...line.slice(0, state.column), '|', ...line.slice(state.column)].join('');
  return lines.join('\n');
}

const typed = (text: string, keys: string) => shown(press(editorOf(text), keys).state);

t.test('as grub-emu leaves the text', async (t) => {
  const cases: [string, string][] = [
    ['X', "X|setparams 'A'\n\necho one two\necho three\necho four five six"],
    ['^n ^n ^k X', "setparams 'A'\n\nX|\necho three\necho four five six"],
    ['^n ^n ^k ^k X', "setparams 'A'\n\nX|echo three\necho four five six"],
    ['^n ^k X', "setparams 'A'\nX|echo one two\necho three\necho four five six"],
    ['^n ^n ^o', "setparams 'A'\n\n|\necho one two\necho three\necho four five six"],
    ['^n ^n right right ^o X', "setparams 'A'\n\necX|\nho one two\necho three\necho four five six"],
    ['^n ^n right right enter X', "setparams 'A'\n\nec\nX|ho one two\necho three\necho four five six"],
    ['^n ^n left X', "setparams 'A'\nX|\necho one two\necho three\necho four five six"],
    ['^n ^n ^b X', "setparams 'A'\nX|\necho one two\necho three\necho four five six"],
    ['^n ^n ^e right X', "setparams 'A'\n\necho one two\nX|echo three\necho four five six"],
    ['^n ^n ^e ^f X', "setparams 'A'\n\necho one two\nX|echo three\necho four five six"],
    ['^n ^n ^e delete X', "setparams 'A'\n\necho one twoX|echo three\necho four five six"],
    ['^n ^n ^e ^d X', "setparams 'A'\n\necho one twoX|echo three\necho four five six"],
    ['^n ^n backspace', "setparams 'A'\n|echo one two\necho three\necho four five six"],
    ['^n ^n right right backspace X', "setparams 'A'\n\neX|ho one two\necho three\necho four five six"],
    ['^n ^n ^e backspace X', "setparams 'A'\n\necho one twX|\necho three\necho four five six"],
    ['^n ^n ^y', "setparams 'A'\n\n|echo one two\necho three\necho four five six"],
    ['^n ^n ^e ^p X', "setparams 'A'\nX|\necho one two\necho three\necho four five six"],
    ['^e ^p X', "X|setparams 'A'\n\necho one two\necho three\necho four five six"],
    ['^p X', "X|setparams 'A'\n\necho one two\necho three\necho four five six"],
    ['left X', "X|setparams 'A'\n\necho one two\necho three\necho four five six"],
    ['backspace backspace X', "X|setparams 'A'\n\necho one two\necho three\necho four five six"],
  ];
  for (const [keys, wanted] of cases) t.equal(typed(ENTRY, keys), wanted, keys);
});

t.test('text mode: the cursor', async (t) => {
  const cases: [string, string][] = [
    ['home right', 'a|bc de\nf\nghi jk lm'],
    ['^a', '|abc de\nf\nghi jk lm'],
    ['end', 'abc de|\nf\nghi jk lm'],
    ['^e ^b', 'abc d|e\nf\nghi jk lm'],
    ['^e ^f', 'abc de\n|f\nghi jk lm'],
    // up and down keep the column that they began with, where the line is long enough
    ['end down', 'abc de\nf|\nghi jk lm'],
    ['end down down', 'abc de\nf\nghi jk| lm'],
    ['end ^n ^n up ^p', 'abc de|\nf\nghi jk lm'],
    ['end down left down', 'abc de\nf\n|ghi jk lm'],
    ['end down down down', 'abc de\nf\nghi jk lm|'],
    ['end down down down up', 'abc de\nf|\nghi jk lm'],
    ['M->', 'abc de\nf\nghi jk lm|'],
    ['M-> right delete ^d', 'abc de\nf\nghi jk lm|'],
    ['M-> M-<', '|abc de\nf\nghi jk lm'],
    ['M-f', 'abc| de\nf\nghi jk lm'],
    ['M-f M-f M-f', 'abc de\nf|\nghi jk lm'],
    ['M-f M-f M-f M-f M-f M-f M-f', 'abc de\nf\nghi jk lm|'],
    ['M-> M-b M-b', 'abc de\nf\nghi |jk lm'],
    ['M-> M-b M-b M-b M-b', 'abc de\n|f\nghi jk lm'],
    ['M-> M-b M-b M-b M-b M-b M-b M-b', '|abc de\nf\nghi jk lm'],
    ['^l right ^l', 'a|bc de\nf\nghi jk lm'],
  ];
  for (const [keys, wanted] of cases) t.equal(typed('abc de\nf\nghi jk lm\n', keys), wanted, keys);
});

t.test('text mode: killing and yanking', async (t) => {
  const cases: [string, string][] = [
    ['right ^k', 'a|\nf\nghi jk lm'],
    ['right ^k ^y', 'abc de|\nf\nghi jk lm'],
    ['right ^k ^k ^y ^y', 'abc de\nbc de\n|f\nghi jk lm'],
    // a move between two kills: only the last comes back
    ['^k down ^k ^y ^y', '\nff|\nghi jk lm'],
    ['^k ^k ^k ^k ^k M-> ^y', 'abc de\nf\nghi jk lm|'],
    ['M-f ^u', '| de\nf\nghi jk lm'],
    ['M-f ^u ^u end ^y', ' deabc|\nf\nghi jk lm'],
    ['end ^w', 'abc |\nf\nghi jk lm'],
    ['end ^w ^w', '|\nf\nghi jk lm'],
    // the words come back in their order
    ['end ^w ^w ^y', 'abc de|\nf\nghi jk lm'],
    ['right ^f ^u ^k ^y', 'abc de|\nf\nghi jk lm'],
    ['down home ^w', 'abc de|f\nghi jk lm'],
    ['down home ^u', 'abc de\n|f\nghi jk lm'],
    ['M-d', '| de\nf\nghi jk lm'],
    ['M-d M-d ^y', 'abc de|\nf\nghi jk lm'],
    ['end M-d', 'abc de|f\nghi jk lm'],
    ['M-> ^k M-d ^y', 'abc de\nf\nghi jk lm|'],
    ['^k esc ^y', 'abc de|\nf\nghi jk lm'],
  ];
  for (const [keys, wanted] of cases) t.equal(typed('abc de\nf\nghi jk lm\n', keys), wanted, keys);
  t.equal(typed('a=b  c/d.e  \n', 'end ^w'), 'a=b  |', '^w goes by blanks');
  t.equal(typed('a=b  c/d.e  \n', 'end M-b'), 'a=b  c/d.|e  ', 'M-b by letters and digits');
});

t.test('inserting', async (t) => {
  t.equal(typed('', ':bcabc'), 'abc|', 'b boots, c is the command line, a is text');
  t.equal(typed('', 'right :abc enter :deb tab :c'), 'abc\ndeb c|');
  t.equal(typed('a\n', 'end é 中 😀 left ́'), 'aé中́|😀', 'code points');
  t.equal(typed('a😀b\n', 'end left backspace'), 'a|b');
  t.equal(typed('a😀b\n', 'right delete'), 'a|b');
  t.equal(typed('a😀\nbcd\n', 'end down ^k'), 'a😀\nbc|', 'columns are code points');
  for (const key of ['\n', '\x1b', '\x7f', '\x9b', '\ud800', 'ab', '', 'insert', 'f1', '^t', '^z', 'M-x']) {
    const before = editorOf('text');
    const { state, action } = editorKey(before, key, 10);
    t.equal(action, 'bell', JSON.stringify(key));
    t.same(state, before);
  }
});

t.test('lines mode', async (t) => {
  const five = editorOf('1\n2\n3\n4\n5\n');
  const cases: [string, number, string][] = [
    ['', 0, '1 2 3 4 5'],
    ['down', 1, '1 2 3 4 5'],
    ['down down down down down down up', 3, '1 2 3 4 5'],
    ['up', 0, '1 2 3 4 5'],
    ['pgdn', 3, '1 2 3 4 5'],
    ['pgdn pgdn pgup', 1, '1 2 3 4 5'],
    ['down d', 1, '1 3 4 5'],
    ['pgdn pgdn d', 3, '1 2 3 4'],
    ['d d d d d', 0, ''],
    ['d d d d d d', 0, ''],
  ];
  for (const [keys, row, lines] of cases) {
    const { state, actions } = press(five, keys, 3);
    t.equal(state.lines.join(' '), lines, keys);
    t.equal(state.row, row, keys);
    t.equal(state.mode, 'lines', keys);
    t.equal(actions, '', keys);
  }
  const toText: [string, string][] = [
    ['down o', '12\n34\n|\n56'],
    ['down O', '12\n|\n34\n56'],
    ['O', '|\n12\n34\n56'],
    ['down down o', '12\n34\n56\n|'],
    ['down e', '12\n34|\n56'],
    ['down enter', '12\n34|\n56'],
    ['down home', '12\n|34\n56'],
    ['down end', '12\n34|\n56'],
    ['down right', '12\n3|4\n56'],
    ['down left', '12|\n34\n56'],
    ['down x', '12\nx|34\n56'],
    ['down tab', '12\n |34\n56'],
    ['down delete', '12\n|4\n56'],
    ['down backspace', '12|34\n56'],
    ['down ^k', '12\n|\n56'],
    ['down ^n', '12\n34\n|56'],
    ['M->', '12\n34\n56|'],
  ];
  for (const [keys, wanted] of toText) {
    const { state } = press(editorOf('12\n34\n56\n'), keys);
    t.equal(shown(state), wanted, keys);
    t.equal(state.mode, 'text', keys);
    // from now on letters are text
    t.match(shown(press(state, ':bcdeoOq').state), /bcdeoOq\|/, keys);
  }
});

t.test('actions', async (t) => {
  for (const mode of ['', 'right']) {
    const start = press(editorOf(ENTRY), mode).state;
    for (const [key, action] of [
      ['^x', 'boot'],
      ['f10', 'boot'],
      ['^c', 'command-line'],
      ['f2', 'command-line'],
      ['esc', 'leave'],
    ] as const) {
      const after = press(start, key);
      t.equal(after.actions, action, key);
      t.same(after.state, start);
    }
  }
  for (const [key, action] of [
    ['b', 'boot'],
    ['c', 'command-line'],
    ['q', 'leave'],
  ] as const) {
    t.equal(press(editorOf(ENTRY), key).actions, action, key);
    t.equal(press(editorOf(ENTRY), `right ${key}`).actions, '', `${key} as text`);
  }
});

t.test('pages in text mode', async (t) => {
  const many = editorOf(Array.from({ length: 50 }, (_, i) => `line ${i}\n`).join(''));
  const rows = (keys: string, page: number) => press(many, `end ${keys}`, page).state.row;
  t.equal(rows('pgdn', 7), 7);
  t.equal(rows('^v ^v', 7), 14);
  t.equal(rows('^v ^v ^g', 7), 7);
  t.equal(rows('^v pgup pgup', 7), 0);
  t.equal(rows('pgdn pgdn pgdn', 20), 49);
  t.equal(rows('pgdn pgdn', 0), 2, 'a screen without room');
});

t.test('text in, text out', async (t) => {
  for (const text of ['a\n', '\n', '\n\n\n', 'a\n\n', '\ta\r\n\x1b[2Jé\ud800\n', `${'x'.repeat(3 << 20)}\n`])
    t.equal(editorText(editorOf(text)), text);
  t.equal(editorText(editorOf('a')), 'a\n');
  t.equal(editorText(editorOf('')), '\n');
  t.same(editorOf('a\nb\n').lines, ['a', 'b']);
  t.same(editorOf('a\nb\n\n').lines, ['a', 'b', '']);
});

t.test('limits', async (t) => {
  const full = press(editorOf(`${'x'.repeat(EDITOR_LIMITS.text - 2)}\n`), 'M->').state;
  const one = press(full, 'y');
  t.equal(one.actions, '');
  for (const key of ['y', 'tab', 'enter', '^o', '😀']) {
    const next = press(one.state, key);
    t.equal(next.actions, 'bell', key);
    t.equal(next.state.lines, one.state.lines);
  }
  t.equal(press(one.state, 'backspace y').actions, '');
  t.equal(press(one.state, '^u ^y ^y').actions, 'bell');
  const lines = editorOf('\n'.repeat(EDITOR_LIMITS.lines));
  t.equal(lines.lines.length, EDITOR_LIMITS.lines);
  for (const key of ['o', 'O', 'right enter', '^o']) {
    const next = press(lines, key);
    t.equal(next.actions, 'bell', key);
    t.equal(next.state.lines, lines.lines);
  }
  t.equal(press(lines, 'd o').actions, '');
  const longer = editorOf('\n'.repeat(EDITOR_LIMITS.lines + 10));
  t.equal(press(longer, 'd').state.lines.length, EDITOR_LIMITS.lines + 9);
  t.equal(press(longer, 'down backspace').state.lines.length, EDITOR_LIMITS.lines + 9);
});

t.test('random keys', async (t) => {
  const keys =
    'up down left right home end pgup pgdn enter enter tab backspace delete insert f1 f10 f2 esc ^a ^b ^d ^e ^f ^g ^k ^l ^n ^o ^p ^u ^v ^w ^x ^y M-b M-f M-d M-< M-> a b o O d e . / é ́ 中 😀 \ud800 \udc00'
      .split(' ')
      .concat(' ', 'x', 'y');
  for (let seed = 1; seed <= 60; seed++) {
    const below = generator(seed);
    const pick = <T>(from: readonly T[]): T => from[below(from.length)]!;
    let state = editorOf(pick(['', ENTRY, 'a\n\n\nb c', 'x\ud83d\n\ude00y\n', '\n\n\n']));
    for (let i = 0; i < 400; i++) {
      const key = pick(keys);
      const before = state;
      ({ state } = editorKey(state, key, below(12)));
      const line = state.lines[state.row];
      const wrong =
        line === undefined
          ? 'row'
          : state.column < 0 || state.column > [...line].length
            ? 'column'
            : state.lines.some((l) => l.includes('\n'))
              ? 'a newline'
              : before.mode === 'text' && state.mode !== 'text'
                ? 'mode'
                : undefined;
      if (wrong) return t.fail(`seed ${seed}, key ${i} ${key}: ${wrong}`, { before, state });
    }
    t.same(editorOf(editorText(state)).lines, state.lines, `seed ${seed}`);
  }
});

t.test('what can be undone by hand', async (t) => {
  for (let seed = 1; seed <= 100; seed++) {
    const below = generator(seed);
    const pick = <T>(from: readonly T[]): T => from[below(from.length)]!;
    const words = Array.from({ length: 1 + below(20) }, () => pick(['a', ' ', 'bc', '\n', '/', '😀']));
    let { state } = press(editorOf(words.join('')), 'M-<');
    for (let i = below(20); i > 0; i--) state = editorKey(state, 'right', 5).state;
    const text = editorText(state);
    // where the text ends there is nothing to kill, and ^y brings what was killed before: nothing
    for (const [there, back] of [
      ['x', 'backspace'],
      ['enter', 'backspace'],
      ['^o', 'delete'],
      ['^k', '^y'],
      ['^u', '^y'],
      ['^w', '^y'],
      ['M-d', '^y'],
      ['^k ^k ^k', '^y'],
    ] as const) {
      const after = press(state, `${there} ${back}`).state;
      t.equal(editorText(after), text, `seed ${seed}: ${there} ${back}`);
    }
  }
});

t.test('a key takes no longer on a large text', async (t) => {
  // 10,000 keys on 1 MiB in one line would take minutes if a key were more than linear
  const long = press(editorOf(`${'ab '.repeat(300_000)}\n`), 'end').state;
  const many = press(editorOf('ab\n'.repeat(19_000)), 'right').state;
  const from = Date.now();
  for (const start of [long, many]) {
    let state = start;
    for (const key of ['x', 'M-b', '^w', 'M-f', '^y', 'enter', '^u', '^k', 'M-d', 'M-<', 'M->', '^o', 'up'])
      state = editorKey(state, key, 10).state;
  }
  t.ok(Date.now() - from < 5000, `${Date.now() - from} ms`);
});
