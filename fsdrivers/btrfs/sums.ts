/** The four kinds of checksums, of tree blocks and of data (superblock, csum_type). */
import { checksums } from '../../lib/bytes/checksum';
import { unsupported } from '../../lib/bytes/errors';

export interface Sums {
  readonly name: string;
  /** Bytes that count; a tree block has room for 32. */
  readonly size: number;
  /** Whether `sum`, from byte `at`, is that of `data`. */
  match(data: Buffer, sum: Buffer, at: number): boolean;
}

/** @throws GuestError `unsupported` */
export function sumsOf(kind: number): Sums {
  switch (kind) {
    case 0: {
      const { crc32c } = checksums();
      return {
        name: 'crc32c',
        size: 4,
        match: (data, sum, at) => ~crc32c(0xffffffff, data) >>> 0 === sum.readUInt32LE(at),
      };
    }
    case 1: {
      const { xxh64 } = require('../../lib/bytes/xxhash') as typeof import('../../lib/bytes/xxhash');
      return {
        name: 'xxhash64',
        size: 8,
        match(data, sum, at) {
          const { high, low } = xxh64(data);
          return low === sum.readUInt32LE(at) && high === sum.readUInt32LE(at + 4);
        },
      };
    }
    case 2: {
      const { createHash } = require('node:crypto') as typeof import('node:crypto');
      return {
        name: 'sha256',
        size: 32,
        match: (data, sum, at) =>
          createHash('sha256')
            .update(data)
            .digest()
            .compare(sum, at, at + 32) === 0,
      };
    }
    case 3: {
      const { blake2b256 } = require('./blake2b') as typeof import('./blake2b');
      return {
        name: 'blake2b',
        size: 32,
        match: (data, sum, at) => blake2b256(data).compare(sum, at, at + 32) === 0,
      };
    }
    default:
      throw unsupported(`checksums of kind ${kind}`);
  }
}
