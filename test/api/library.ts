/** The library as it is shipped: dist/index.js, with the declarations that dist/index.d.ts is made of. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { teardown } from 'tap';
import type * as Public from '../../lib/api/public';
import { image, ROOT } from '../support';

export const library = require(join(ROOT, 'dist', 'index.js')) as typeof Public;
export type { DiskSource, FileSystem, GuestDisk } from '../../lib/api/public';

export const EXAMPLE = join(ROOT, 'fixtures', 'images', 'example.img');

/** A folder that goes with the test. */
export const work = mkdtempSync(join(tmpdir(), 'nodegrub-api-'));
teardown(() => rmSync(work, { recursive: true }));

/** A checked-in image as a file. */
export function imageFile(name: string, folder = 'images'): string {
  const path = join(work, name);
  writeFileSync(path, image(name, folder));
  return path;
}

/** What the program prints. */
export function program(...words: readonly string[]) {
  const r = spawnSync(
    'env',
    ['-i', `PATH=${process.env.PATH}`, 'node', join(ROOT, 'dist', 'nodegrub.js'), ...words],
    { encoding: 'utf8', maxBuffer: 1 << 28 },
  );
  return { ...r, json: () => JSON.parse(r.stdout) };
}

/** As JSON has it: the documents hold nothing that it loses. */
export const plain = (document: unknown) => JSON.parse(JSON.stringify(document));

let archives = 0;

/** A disk with these files: a cpio archive, which the program reads as a filesystem. */
export function archive(files: readonly (readonly [path: string, data: string])[]): string {
  const hex = (n: number) => n.toString(16).padStart(8, '0');
  const pad = (text: string) => text + '\0'.repeat((4 - (text.length % 4)) % 4);
  const entry = (name: string, mode: number, data: string) => {
    const fields = [1, mode, 0, 0, 1, 0, data.length, 0, 0, 0, 0, name.length + 1, 0].map(hex);
    return pad(`070701${fields.join('')}${name}\0`) + pad(data);
  };
  const text = [
    entry('boot', 0o40755, ''),
    entry('boot/grub', 0o40755, ''),
    ...files.map(([path, data]) => entry(path, 0o100644, data)),
    entry('TRAILER!!!', 0, ''),
  ].join('');
  const path = join(work, `archive${archives++}.cpio`);
  writeFileSync(path, text.padEnd(Math.ceil(text.length / 512) * 512, '\0'), 'latin1');
  return path;
}
