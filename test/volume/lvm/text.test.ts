/** LVM's text metadata, as a hostile guest may write them. */
import t from 'tap';
import { parseText } from '../../../lib/volume/lvm/text';
import { context } from '../../support';

t.test('texts in quotes', async (t) => {
  const { values } = parseText('a = "x" b = "\\"y\\\\" c = ["", "z#{"]', context());
  t.equal(values.get('a'), 'x');
  t.equal(values.get('b'), '"y\\');
  t.same(values.get('c'), ['', 'z#{']);
  for (const open of ['a = "', 'a = "x', 'a = "x\\', 'a = "x\\"'])
    t.throws(() => parseText(open, context()), { code: 'syntax', message: /a text that does not end/ }, open);
});

t.test('a text as long as a configuration may be', async (t) => {
  // A regular expression's stack was full at 16 MB, with an error that is nobody's.
  for (const piece of ['aa', '\\"']) {
    const length = 32 * 1024 * 1024 - 100;
    const { values } = parseText(`vg { }\na = "${piece.repeat(length / 2)}"`, context());
    const wanted = piece === 'aa' ? length : length / 2;
    t.equal(String(values.get('a')).length, wanted, piece);
    t.throws(
      () => parseText(`a = "${piece.repeat(length / 2)}`, context()),
      { code: 'syntax' },
      'without end',
    );
  }
});
