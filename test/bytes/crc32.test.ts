import t from 'tap';
import { crc32 } from '../../lib/bytes/crc32';

// Right-hand sides: Python's zlib.crc32.
t.test('CRC-32', async (t) => {
  t.equal(crc32(Buffer.from('123456789')), 0xcbf43926, 'the catalogue’s check value');
  t.equal(crc32(Buffer.from('1234'), Buffer.from('56789')), 0xcbf43926, 'in parts');
  t.equal(crc32(), 0);
  t.equal(crc32(Buffer.alloc(16384)), 0xab54d286, 'zeros alone');
  t.equal(crc32(Buffer.concat([Buffer.from('EFI PART'), Buffer.alloc(1000)])), 0xc257b55c);
  t.equal(
    crc32(Buffer.concat([Buffer.alloc(300), Buffer.from('x'), Buffer.alloc(513)]), Buffer.from('y')),
    0x59c2db40,
  );
});
