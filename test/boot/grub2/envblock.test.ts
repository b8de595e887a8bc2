/** Environment blocks: what grub-emu does with them is recorded (commands/recorded.test.ts); here the corners. */
import t from 'tap';
import {
  assignments,
  isEnvironmentBlock,
  SIGNATURE,
  valueIn,
  withoutName,
  withValue,
} from '../../../lib/boot/grub2/envblock';
import { GuestError } from '../../../lib/bytes/errors';
import { context, cpuMs } from '../../support';

const block = (body: string, size = 256): string => `${SIGNATURE}${body}`.padEnd(size, '#');
const list = (text: string) => [...assignments(text, context())].map((a) => [a.name, a.value]);

t.test('reading', async (t) => {
  t.same(list(block('a=1\nb=x=y\n')), [
    ['a', '1'],
    ['b', 'x=y'],
  ]);
  t.same(list(block('a=1\\\n2\\\\3\\q\n')), [['a', '1\n2\\3q']]);
  t.same(list(block('a=1\n#b=2\nc=3\n')), [
    ['a', '1'],
    ['c', '3'],
  ]);
  t.same(list(block('stray\na=1\n')), [['stray\na', '1']], 'a name reaches to its equals sign');
  t.same(list(`${SIGNATURE}a=1\nb=cut`), [['a', '1']], 'without its newline it is not there');
  t.same(list(`${SIGNATURE}a=ends in a backslash\\`), []);
  t.equal(valueIn(block('a=1\na=2\n'), 'a', context()), '2');
  t.notOk(isEnvironmentBlock(SIGNATURE));
  t.notOk(isEnvironmentBlock(`#${SIGNATURE}`));
});

t.test('writing keeps the size', async (t) => {
  const ctx = context();
  const start = block('a=1\nb=2\n');
  const set = (text: string, name: string, value: string) => {
    const next = withValue(text, name, value, ctx);
    if (next !== undefined) t.equal(next.length, text.length);
    return next;
  };
  t.equal(set(start, 'a', 'longer\nvalue\\'), block('a=longer\\\nvalue\\\\\nb=2\n'));
  t.equal(set(start, 'b', ''), block('a=1\nb=\n'));
  t.equal(set(start, 'c', '#x'), block('a=1\nb=2\nc=#x\n'));
  t.equal(withoutName(start, 'a', ctx), block('b=2\n'));
  t.equal(withoutName(start, 'none', ctx), start);
  const room = 256 - start.replace(/#+$/, '').length - 'c=\n'.length;
  t.ok(set(start, 'c', 'x'.repeat(room)));
  t.equal(set(start, 'c', 'x'.repeat(room + 1)), undefined);
  t.equal(set(`${SIGNATURE}no newline at the end`, 'c', 'x'), undefined);
});

t.test('hostile', async (t) => {
  const many = block('a=1\n'.repeat(200_000), 1024 * 1024);
  t.equal(list(many).length, 200_000);
  t.throws(() => [...assignments(many, context(1000))], GuestError);
  const stray = `${SIGNATURE}${'\\'.repeat(1_000_000)}`;
  const from = cpuMs();
  t.same(list(stray), []);
  t.equal(
    withoutName(`${SIGNATURE}${'#'.repeat(1_000_000)}`, 'a', context()).length,
    1_000_000 + SIGNATURE.length,
  );
  t.ok(cpuMs() - from < 2000);
  let seed = 3;
  const random = (n: number) => {
    seed = (seed * 1103515245 + 12345) & 0x7fffffff;
    return (seed >>> 8) % n;
  };
  for (let i = 0; i < 2000; i++) {
    let body = '';
    for (let n = random(30); n > 0; n--) body += ['a', '=', '\n', '\\', '#', 'b=', '\0'][random(7)];
    const text = `${SIGNATURE}${body}`;
    const next = withValue(text, 'a', 'v', context()) ?? text;
    if (next.length !== text.length) t.fail(JSON.stringify(text));
    if (next !== text && valueIn(next, 'a', context()) === undefined && !/=/.test(body))
      t.fail(JSON.stringify(text));
    if (withoutName(text, 'a', context()).length !== text.length) t.fail(JSON.stringify(text));
  }
});
