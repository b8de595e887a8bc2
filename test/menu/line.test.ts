/**
 * One line's keys: those of GRUB's manual ("The flexible command-line interface"), which are readline's;
 * test/peers/menu-editor.test.ts types the same and random ones into readline itself.
 */
import t from 'tap';
import {
  countOf,
  HISTORY_LIMIT,
  indexOf,
  LINE_LIMIT,
  type LineState,
  lineKey,
  lineOf,
  lineWindow,
  remember,
} from '../../menu/line';
import { generator } from '../boot/dialect';

function press(state: LineState, keys: string): { state: LineState; actions: string } {
  let now = state;
  const actions: string[] = [];
  for (const name of keys.split(' ').filter(Boolean)) {
    const next = lineKey(now, name);
    now = next.state;
    if (next.action) actions.push(next.action);
  }
  return { state: now, actions: actions.join(' ') };
}

/** The text with a bar where the cursor is. */
const shown = ({ text, cursor }: LineState) => {
  const chars = [...text];
  return [...chars.slice(0, cursor), '|', ...chars.slice(cursor)].join('');
};

const typed = (text: string, keys: string) => shown(press(lineOf(text), keys).state);

t.test('keys', async (t) => {
  const text = 'ls (hd0,gpt1)/boot';
  const cases: [string, string][] = [
    ['', 'ls (hd0,gpt1)/boot|'],
    ['x', 'ls (hd0,gpt1)/bootx|'],
    ['left', 'ls (hd0,gpt1)/boo|t'],
    ['^b ^b', 'ls (hd0,gpt1)/bo|ot'],
    ['^b ^b ^f right right', 'ls (hd0,gpt1)/boot|'],
    ['home', '|ls (hd0,gpt1)/boot'],
    ['^a left ^b', '|ls (hd0,gpt1)/boot'],
    ['^a end', 'ls (hd0,gpt1)/boot|'],
    ['^a ^e', 'ls (hd0,gpt1)/boot|'],
    ['backspace', 'ls (hd0,gpt1)/boo|'],
    ['^a backspace', '|ls (hd0,gpt1)/boot'],
    ['^a delete ^d', '| (hd0,gpt1)/boot'],
    ['delete ^d', 'ls (hd0,gpt1)/boot|'],
    ['M-b', 'ls (hd0,gpt1)/|boot'],
    ['M-b M-b', 'ls (hd0,|gpt1)/boot'],
    ['M-b M-b M-b M-b M-b', '|ls (hd0,gpt1)/boot'],
    ['^a M-f', 'ls| (hd0,gpt1)/boot'],
    ['^a M-f M-f', 'ls (hd0|,gpt1)/boot'],
    ['^a M-f M-f M-f M-f M-f', 'ls (hd0,gpt1)/boot|'],
    ['^w', 'ls |'],
    ['^w ^w', '|'],
    ['^w ^w ^w ^y', 'ls (hd0,gpt1)/boot|'],
    ['M-b ^k', 'ls (hd0,gpt1)/|'],
    ['M-b ^k ^y ^y', 'ls (hd0,gpt1)/bootboot|'],
    ['M-b ^u', '|boot'],
    ['M-b ^u ^k ^y', 'ls (hd0,gpt1)/boot|'],
    ['^a M-d', '| (hd0,gpt1)/boot'],
    ['^a M-d M-d ^y', 'ls (hd0|,gpt1)/boot'],
    // with a kill that found nothing in between, the row of kills is over
    ['M-b ^k ^k ^u ^y', 'ls (hd0,gpt1)/|'],
    ['^a M-d right M-d ^y ^y', ' (hd0(hd0|,gpt1)/boot'],
    ['^y', 'ls (hd0,gpt1)/boot|'],
    ['^l left', 'ls (hd0,gpt1)/boo|t'],
  ];
  for (const [keys, wanted] of cases) t.equal(typed(text, keys), wanted, keys);
  t.equal(typed('a😀', 'left é ́ right backspace'), 'aé́|', 'code points');
  t.equal(typed('wörter größe', 'M-b M-d'), 'wörter |');
});

t.test('actions', async (t) => {
  for (const [key, action] of [
    ['enter', 'enter'],
    ['esc', 'cancel'],
    ['tab', 'complete'],
    ['^c', 'interrupt'],
    ['pgup', 'bell'],
    ['f1', 'bell'],
    ['^z', 'bell'],
    ['\n', 'bell'],
    ['\x1b', 'bell'],
    ['\x9b', 'bell'],
    ['\ud800', 'bell'],
    ['up', 'bell'],
    ['down', 'bell'],
    ['M-<', 'bell'],
    ['M->', 'bell'],
  ] as const) {
    const after = press(lineOf('text'), `left ${key}`);
    t.equal(after.actions, action, JSON.stringify(key));
    t.equal(shown(after.state), 'tex|t');
  }
});

t.test('history', async (t) => {
  const state = lineOf('dr', ['one', 'two', 'three']);
  const cases: [string, string, string][] = [
    ['up', 'three|', ''],
    ['^p up', 'two|', ''],
    ['up up up up', 'one|', 'bell'],
    ['up down', 'dr|', ''],
    ['left up down', 'dr|', ''],
    ['x ^p ^p ^n ^n', 'drx|', ''],
    ['up ^n down', 'dr|', 'bell'],
    ['up up x down', 'three|', ''],
    ['M-<', 'one|', ''],
    ['M-< down', 'two|', ''],
    ['x M-< M->', 'drx|', ''],
    // killed text goes along
    ['^u up ^y', 'threedr|', ''],
    ['up ^u ^n ^y', 'drthree|', ''],
  ];
  for (const [keys, wanted, actions] of cases) {
    const after = press(state, keys);
    t.equal(shown(after.state), wanted, keys);
    t.equal(after.actions, actions, keys);
  }
  t.same(state.history, ['one', 'two', 'three']);
  t.same(remember([], 'a'), ['a']);
  t.same(remember(['a'], 'b'), ['a', 'b']);
  t.same(remember(['a', 'b'], 'b'), ['a', 'b']);
  t.same(remember(['a', 'b'], 'a'), ['a', 'b', 'a']);
  t.same(remember(['a'], ''), ['a']);
  t.same(remember(['a'], ' '), ['a']);
  let history: string[] = [];
  for (let i = 0; i < 250; i++) history = remember(history, `${i}`);
  t.equal(history.length, HISTORY_LIMIT);
  t.same([history[0], history[99]], ['150', '249']);
});

t.test('limits', async (t) => {
  const full = lineOf('😀'.repeat(LINE_LIMIT));
  t.equal(full.cursor, LINE_LIMIT);
  for (const key of ['a', '😀']) {
    const after = press(full, key);
    t.equal(after.actions, 'bell');
    t.equal(after.state.text, full.text);
  }
  t.equal(press(full, 'backspace a').actions, '');
  t.equal(press(full, '^u ^y ^y').actions, 'bell');
  const longer = lineOf('x'.repeat(LINE_LIMIT * 2));
  t.equal(press(longer, '^a right delete').state.text.length, LINE_LIMIT * 2 - 1);
  t.equal(press(longer, 'a').actions, 'bell');
});

t.test('random keys', async (t) => {
  const keys =
    'up down left right home end backspace delete tab enter esc ^a ^b ^c ^d ^e ^f ^k ^l ^n ^p ^u ^w ^y ^z M-b M-f M-d M-< M-> insert a b . / é ́ 中 😀 \ud800'
      .split(' ')
      .concat(' ', 'x', 'y');
  for (let seed = 1; seed <= 60; seed++) {
    const below = generator(seed);
    let state = lineOf(seed % 2 ? '' : 'linux /vmlinuz \ud83dx\ude00 root=/dev/😀', ['a b', '', 'ünï 中']);
    for (let i = 0; i < 400; i++) {
      const key = keys[below(keys.length)]!;
      const before = state;
      ({ state } = lineKey(state, key));
      const { text, cursor, at, history } = state;
      if (cursor < 0 || cursor > [...text].length || at < 0 || at > history.length || history.length !== 3)
        return t.fail(`seed ${seed}, key ${i} ${key}`, { before, state });
    }
    t.equal(countOf(state.text), [...state.text].length, `seed ${seed}`);
    const index = indexOf(state.text, state.cursor);
    t.equal([...state.text].slice(0, state.cursor).join(''), state.text.slice(0, index));
  }
});

/** Wide: CJK; nothing: the combining acute. */
const widthOf = (ch: string) => (ch === '́' ? 0 : ch >= '一' && ch <= '鿿' ? 2 : 1);

t.test('the window', async (t) => {
  const window = (text: string, cursor: number, width: number) => {
    const { shown, column, left, right } = lineWindow(text, cursor, width, widthOf);
    return `${left ? '<' : '['}${shown}${right ? '>' : ']'}${column}`;
  };
  t.equal(window('', 0, 10), '[]0');
  t.equal(window('abc', 3, 10), '[abc]3');
  t.equal(window('0123456789', 9, 10), '[0123456789]9');
  t.equal(window('0123456789', 10, 10), '<56789]5', 'the cursor needs a column after the end');
  t.equal(window('0123456789abcdef', 0, 10), '[0123456789>0');
  t.equal(window('0123456789abcdef', 9, 10), '[0123456789>9');
  t.equal(window('0123456789abcdef', 10, 10), '<56789abcde>5');
  t.equal(window('0123456789abcdef', 15, 10), '<abcdef]5');
  t.equal(window('中中中中中', 4, 10), '[中中中中中]8');
  t.equal(window('中中中中中中', 5, 11), '<中中中]4', 'a wide letter is shown whole or not at all');
  t.equal(window('éé́'.normalize('NFD'), 2, 2), '[éé́]1'.normalize('NFD'));
  t.equal(window('abc', 1, 1), '<b>0');
  t.equal(window('中', 0, 1), '[>0');
  t.equal(window('abc', 1, 0), '<>0');
});

t.test('any window', async (t) => {
  const letters = ['a', 'b', ' ', '中', '́', '😀'];
  for (let seed = 1; seed <= 3000; seed++) {
    const below = generator(seed);
    const text = Array.from({ length: below(60) }, () => letters[below(letters.length)]!);
    const cursor = below(text.length + 1);
    const width = 1 + below(20);
    const view = lineWindow(text.join(''), cursor, width, widthOf);
    const columns = (chars: readonly string[]) => chars.reduce((sum, ch) => sum + widthOf(ch), 0);
    const shown = [...view.shown];
    // where it is cut out: the only place where both the flags and the column fit
    const at = text.findIndex(
      (_, i) =>
        i <= cursor &&
        text.slice(i, i + shown.length).join('') === view.shown &&
        columns(text.slice(i, cursor)) === view.column &&
        i > 0 === view.left &&
        i + shown.length < text.length === view.right,
    );
    const empty = text.length === 0 || (cursor === text.length && view.shown === '' && view.column === 0);
    if (
      (at < 0 && !empty) ||
      columns(shown) > width ||
      view.column < 0 ||
      view.column >= width ||
      (cursor < text.length && widthOf(text[cursor]!) <= width - view.column && !(cursor < at + shown.length))
    )
      return t.fail(`seed ${seed}`, { text, cursor, width, view });
  }
  t.pass('3000');
});
