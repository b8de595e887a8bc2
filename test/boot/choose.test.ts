import t from 'tap';
import { allChoices, defaultChoice, namedChoice, requestedChoice, splitDefault } from '../../lib/boot/choose';
import type { BootMenu, BootTarget, MenuEntry } from '../../lib/boot/model';

const target = {} as BootTarget;
const entry = (title: string, id = ''): MenuEntry => ({ title, id, text: '', resolve: () => target });
const sub = (title: string, id: string, ...entries: MenuEntry[]): MenuEntry => ({
  ...entry(title, id),
  open: () => menu(entries),
});
const menu = (entries: MenuEntry[], def?: string | number[]): BootMenu => ({
  entries,
  default: def,
  fallback: [],
  timeout: null,
  timeoutStyle: 'menu',
  console: '',
  warnings: [],
});

const entries = [
  entry('Debian', 'debian-simple'),
  sub('Advanced', 'adv', entry('Linux 6.1', '6.1'), sub('Old', 'old', entry('Linux 4.19')), entry('1')),
  entry('A>B', 'a>b-id'),
  entry('4', 'four'),
  entry('memtest', '0rescue'),
];

/** The place of the default, and the warnings. */
function chosen(def: string | number[] | undefined): [string | undefined, number] {
  const warnings: string[] = [];
  const choice = defaultChoice(menu(entries, def), (m) => void warnings.push(m));
  return [choice?.path.join('>'), warnings.length];
}

t.test('the guest’s own default', async (t) => {
  t.same(chosen(undefined), ['0', 0]);
  t.same(chosen(''), ['0', 0]);
  t.same(chosen('2'), ['2', 0], "GRUB's numbering: a submenu counts as one");
  t.same(chosen('1'), ['1>0', 0], 'a submenu: its entry 0');
  t.same(chosen('1>2'), ['1>2', 0]);
  t.same(chosen('Advanced>Linux 6.1'), ['1>0', 0]);
  t.same(chosen('adv>old'), ['1>1>0', 0]);
  t.same(chosen('adv>1'), ['1>2', 0], 'a title that is a number comes before the number');
  t.same(chosen('4'), ['3', 0]);
  t.same(chosen('A>>B'), ['2', 0], '>> is a literal >');
  t.same(chosen('A>B'), ['2', 0], 'an old config does not double it');
  t.same(chosen('0rescue'), ['4', 0], 'an id that starts with a digit is no number');
  t.same(chosen([2]), ['2', 0], 'a position, whatever the titles are');
  t.same(chosen([1, 1]), ['1>1>0', 0]);
  t.same(chosen([7]), ['0', 1], 'a position that does not exist: entry 0, with a warning');
  t.same(chosen('99'), ['0', 1], 'out of range: entry 0, with a warning');
  t.same(chosen('-1'), ['0', 1]);
  t.same(chosen('gone>0'), ['0', 1]);
  t.same(chosen('adv>gone'), ['1>0', 1]);
  t.equal(
    defaultChoice(menu([]), () => {}),
    undefined,
  );
});

t.test('fallback words and --entry', async (t) => {
  const m = menu(entries);
  t.equal(namedChoice(m, 'gone'), undefined);
  t.equal(namedChoice(m, 9), undefined);
  t.same(namedChoice(m, 2)?.titles, ['A>B']);
  t.same(namedChoice(m, '1>old')?.titles, ['Advanced', 'Old', 'Linux 4.19']);
  t.same(
    [...allChoices(m)].map((c) => c.path.join('>')),
    ['0', '1>0', '1>1>0', '1>2', '2', '3', '4'],
  );
  t.equal(requestedChoice(m, '2')?.path.join('>'), '1>1>0', 'an index counts boot entries, submenus entered');
  t.equal(requestedChoice(m, 'Linux 4.19')?.path.join('>'), '1>1>0', 'a title at any depth');
  t.equal(requestedChoice(m, 'A>B')?.path.join('>'), '2', 'an exact title wins over a path');
  t.equal(requestedChoice(m, 'adv>6.1')?.path.join('>'), '1>0');
  t.equal(requestedChoice(m, '99'), undefined);
});

t.test('submenus without end', async (t) => {
  let opened = 0;
  const endless = (): BootMenu => {
    opened++;
    return menu([entry('x'), ...Array.from({ length: 5 }, () => ({ ...entry('s'), open: endless }))]);
  };
  const count = [...allChoices(endless())].length;
  t.ok(count > 3000 && count <= 20_000, `${count} entries`);
  t.ok(opened <= 20_001, `${opened} menus opened`);
});

t.test('parts of a default', async (t) => {
  t.same(splitDefault('a>b>>c>>>d'), ['a', 'b>c>', 'd']);
  t.same(splitDefault(''), ['']);
});
