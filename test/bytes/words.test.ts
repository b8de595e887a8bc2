import t from 'tap';
import { words } from '../../lib/bytes/words';

t.test('32-bit little-endian numbers, from any place', async (t) => {
  const bytes = Buffer.from('ff01000000ffffffff78563412', 'hex');
  t.same([...words(bytes, 1, 3)], [1, 0xffffffff, 0x12345678]);
  for (let at = 0; at < 5; at++)
    t.same([...words(bytes, at, 2)], [bytes.readUInt32LE(at), bytes.readUInt32LE(at + 4)], `at ${at}`);
  t.same([...words(bytes.subarray(5), 0, 2)], [0xffffffff, 0x12345678]);
  t.same([...words(bytes, 13, 0)], []);
});

t.test('a machine of the other byte order', async (t) => {
  const variables = process.config.variables as unknown as Record<string, unknown>;
  const changed = { ...variables, node_byteorder: 'big' };
  const config = Object.getOwnPropertyDescriptor(process, 'config')!;
  Object.defineProperty(process, 'config', { ...config, value: { ...process.config, variables: changed } });
  t.teardown(() => Object.defineProperty(process, 'config', config));
  t.same([...words(Buffer.from('0100000078563412', 'hex'), 0, 2)], [1, 0x12345678]);
});
