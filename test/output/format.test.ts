import t from 'tap';
import { pythonRepr, type Result } from '../../lib/output/format';
import { formatted } from './formatted';

const full: Result = {
  kernel: '/out/boot_kernel.abc',
  ramdisk: '/out/boot_ramdisk.abc',
  args: 'root=/dev/xvda1 ro',
  entry: 'X',
};
const bare: Result = { kernel: '/out/k', ramdisk: undefined, args: '', entry: undefined };

// The lines that Debian's pygrub 4.17 printed (test/peers/pygrub.test.ts compares with it live).
t.test('byte for byte', async (t) => {
  const show = (r: Result, f: 'sxp' | 'simple' | 'simple0' | 'json') => formatted(r, f).toString('latin1');
  t.equal(
    show(full, 'sxp'),
    "linux (kernel '/out/boot_kernel.abc')(ramdisk '/out/boot_ramdisk.abc')(args 'root=/dev/xvda1 ro')",
  );
  t.equal(
    show(full, 'simple'),
    'kernel /out/boot_kernel.abc\nramdisk /out/boot_ramdisk.abc\nargs root=/dev/xvda1 ro\n\n',
  );
  t.equal(
    show(full, 'simple0'),
    'kernel /out/boot_kernel.abc\0ramdisk /out/boot_ramdisk.abc\0args root=/dev/xvda1 ro\0\0',
  );
  t.equal(show(bare, 'sxp'), "linux (kernel '/out/k')");
  t.equal(show(bare, 'simple'), 'kernel /out/k\n\n');
  t.equal(show(bare, 'simple0'), 'kernel /out/k\0\0');
  t.same(JSON.parse(show(bare, 'json')), { kernel: '/out/k', ramdisk: null, args: '', entry: null });
  t.equal(show({ ...bare, args: 'a=\xe9' }, 'simple'), 'kernel /out/k\nargs a=\xe9\n\n', 'bytes are kept');
});

t.test('what a format cannot say is an error', async (t) => {
  t.throws(() => formatted({ ...bare, args: 'a\nb' }, 'simple'), { code: 'unsupported' });
  t.doesNotThrow(() => formatted({ ...bare, args: 'a\nb' }, 'simple0'));
  t.throws(() => formatted({ ...bare, args: 'a\0b' }, 'simple0'), { code: 'unsupported' });
  // libxl drops an item of 8,192 bytes or more: "args " and 8,186 bytes are the most.
  t.doesNotThrow(() => formatted({ ...bare, args: 'x'.repeat(8186) }, 'simple0'));
  t.throws(() => formatted({ ...bare, args: 'x'.repeat(8187) }, 'simple0'), { code: 'limit' });
});

// Right-hand sides printed by Python 3.11's repr().
t.test("Python's repr", async (t) => {
  t.equal(pythonRepr(`it's`), `"it's"`);
  t.equal(pythonRepr(`a"b`), `'a"b'`);
  t.equal(pythonRepr(`it's "x"`), `'it\\'s "x"'`);
  t.equal(pythonRepr('a\\b\n\t\r\x01\x7f'), `'a\\\\b\\n\\t\\r\\x01\\x7f'`);
  t.equal(pythonRepr('Gr\xc3\xbc\xc3\x9f'), `'Grüß'`);
});
