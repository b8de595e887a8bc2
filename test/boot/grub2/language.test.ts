/** The scripts of fixtures/configs/grub2 print what grub-emu printed when the recipe recorded it. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { CONFIGS, evaluate } from './tree';

/** Output by section: each starts with `== name`. */
function sections(output: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const part of output.trimEnd().split(/^(?=== )/m)) found.set(part.split('\n', 1)[0]!, part.trimEnd());
  return found;
}

for (const file of readdirSync(CONFIGS).filter((name) => name.endsWith('.cfg'))) {
  t.test(file, async (t) => {
    const expected = sections(readFileSync(join(CONFIGS, file.replace(/cfg$/, 'expected')), 'latin1'));
    const got = sections(evaluate(readFileSync(join(CONFIGS, file), 'latin1')).console);
    t.ok(expected.size > 0);
    t.same([...got.keys()], [...expected.keys()], 'sections');
    for (const [name, text] of expected) t.equal(got.get(name), text, name);
  });
}
