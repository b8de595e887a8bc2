import t from 'tap';
import { Coverage } from '../../../lib/source/nbd/coverage';

t.test('against a plain set of bytes', async (t) => {
  for (let round = 0; round < 300; round++) {
    const coverage = new Coverage();
    const bytes = new Set<number>();
    for (let i = 0; i < 60; i++) {
      const from = Math.floor(Math.random() * 100);
      const to = from + 1 + Math.floor(Math.random() * 8);
      let free = true;
      for (let b = from; b < to; b++) if (bytes.has(b)) free = false;
      if (coverage.add(from, to) !== free) t.fail(`${from} to ${to}`);
      if (free) for (let b = from; b < to; b++) bytes.add(b);
      if (coverage.total !== bytes.size) t.fail('total');
    }
  }
  t.pass();
});
