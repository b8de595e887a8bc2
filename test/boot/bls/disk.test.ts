/** The fixture disk, a /boot partition with entries of several distributions: what bootctl lists (fixtures/recipes/bls.sh). */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Bootloader } from '../../../lib/bootloader';
import { ROOT, source } from '../../support';
import { content } from '../sdboot/support';

interface Expected {
  readonly entries: {
    readonly id: string;
    readonly showTitle: string;
    readonly options: string;
    readonly linux: string;
    readonly initrd?: string[];
    readonly triesLeft?: number;
  }[];
}
const expected: Expected = JSON.parse(readFileSync(join(ROOT, 'fixtures/images/bls.expected.json'), 'utf8'));

t.test('as bootctl lists it', async (t) => {
  const said: string[] = [];
  const loader = new Bootloader({
    disks: [source('bls.img')],
    quiet: true,
    say: (line) => void said.push(line),
  });
  const { dialect, config, entries, default: at } = loader.list()!;
  t.same([dialect.name, config.path, config.volume.name, at], ['bls', '/loader/entries/', 'hd0,msdos1', 0]);
  t.same(
    entries.map(({ choice, target }) => ({
      id: choice.entry.id,
      showTitle: choice.entry.title,
      options: target.args,
      linux: target.kernel!.path,
      initrd: target.initrds.map(({ file }) => file.path),
      problem: target.problem,
      counted: target.notes.some((note) => note.startsWith('boot counting')),
    })),
    expected.entries.map(({ id, showTitle, options, linux, initrd, triesLeft }) => ({
      ...{ id, showTitle, options, linux, initrd: initrd ?? [], problem: null },
      counted: triesLeft !== undefined,
    })),
  );
  for (const { target } of entries)
    for (const file of [target.kernel!, ...target.initrds.map((part) => part.file)])
      t.equal(content(file).toString(), `${file.path}\n`);
  t.same(said, []);
});
