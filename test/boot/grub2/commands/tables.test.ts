import t from 'tap';
import { Commands, RARE } from '../../../../lib/boot/grub2/commands';
import { tables } from '../../../../lib/boot/grub2/commands/rare';

t.test('the chunk of rare commands', async (t) => {
  const names = tables.flatMap((table) => Object.keys(table));
  t.same([...RARE].sort(), [...names].sort(), 'the names are those of the tables, each once');
  const commands = new Commands();
  for (const name of names) {
    const handler = tables.map((table) => table[name]).find((h) => h);
    t.equal(commands.get(name), handler, name);
  }
  t.equal(commands.get('constructor'), undefined);
  t.equal(commands.get('__proto__'), undefined);
});
