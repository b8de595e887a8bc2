/** LUKS headers changed on purpose, with the right checksum again: what an attacker writes. */
import { createHash } from 'node:crypto';
import { MemorySource } from '../../../lib/source/types';
import { image } from '../../support';

export const PASSPHRASE = Buffer.from('passphrase');
export const KEY = Buffer.from('key\nfile\0\xff', 'latin1');
/** Fixture → what opens it (fixtures/recipes/luks.sh). */
export const FIXTURES = {
  'luks-1.img': PASSPHRASE,
  'luks-2.img': PASSPHRASE,
  'luks-2-essiv.img': KEY,
} as const;

// biome-ignore lint/suspicious/noExplicitAny: the tests write into every corner of it
export type Json = any;

const SIZE = 0x4000;

export function resum(bytes: Buffer, at: number): void {
  const header = bytes.subarray(at, at + SIZE);
  header.fill(0, 448, 512);
  createHash('sha256').update(header).digest().copy(header, 448);
}

export const jsonOf = (bytes: Buffer, at = 0): Json =>
  JSON.parse(bytes.toString('latin1', at + 4096, at + SIZE).split('\0', 1)[0]!);

export function writeText(bytes: Buffer, text: string, copies = [0, SIZE]): void {
  for (const at of copies) {
    bytes.fill(0, at + 4096, at + SIZE);
    bytes.write(text, at + 4096, SIZE - 4096 - 1, 'latin1');
    resum(bytes, at);
  }
}

/** luks-2.img with another JSON area in both copies. */
export function luks2(change: (json: Json) => void, name = 'luks-2.img'): MemorySource {
  const bytes = Buffer.from(image(name));
  const json = jsonOf(bytes);
  change(json);
  writeText(bytes, JSON.stringify(json));
  return new MemorySource(bytes, 'changed');
}

/** A fixture with other bytes. */
export function changed(name: string, change: (bytes: Buffer) => void): MemorySource {
  const bytes = Buffer.from(image(name));
  change(bytes);
  return new MemorySource(bytes, 'changed');
}
