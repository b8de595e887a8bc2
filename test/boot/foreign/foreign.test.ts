/** The header: U-Boot's include/image.h; test/peers/otherloaders.test.ts takes one from mkimage. */
import t from 'tap';
import { dialects } from '../../../lib/boot/further';
import { evaluate } from '../dialect';

const foreign = dialects.find((dialect) => dialect.name === 'foreign')!;

function header(type: number, name: string): Buffer {
  const bytes = Buffer.alloc(128);
  bytes.writeUInt32BE(0x27051956, 0);
  bytes[30] = type;
  bytes.write(name, 32, 'latin1');
  return bytes;
}

t.test('named, not run', async (t) => {
  t.equal(dialects.at(-1), foreign, 'last');
  const said = (name: string, content: string | Buffer) => {
    try {
      evaluate(foreign, `/${name}`, { [name]: content });
    } catch (error) {
      return error;
    }
    return undefined;
  };
  for (const [name, content, message] of [
    [
      'boot.scr',
      header(6, 'boot script\x1b'),
      /^a U-Boot script \('boot script\\x1b'\), which is not run here: an extlinux\.conf .*--kernel/,
    ],
    ['boot.scr', header(2, ''), /^a U-Boot image of type 2,/],
    ['boot.scr', '\xd0\x0d\xfe\xed', /FIT image/],
    ['boot.scr', 'echo', /^a U-Boot script without its header/],
    ['boot.scr', '', /without its header/],
    ['uEnv.txt', 'bootargs=x', /^U-Boot's environment/],
    ['bootmgr', 'x', /^Windows: boots as HVM only, not through a bootloader program$/],
    ['ntldr', 'x', /^Windows/],
  ] as const)
    t.match(said(name, content), { code: 'unsupported', message });
});
