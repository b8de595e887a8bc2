/** The kernel and the ramdisk as files of the host's. What is copied, and how, is the program's (lib/extract). */
import { randomBytes } from 'node:crypto';
import { closeSync, constants, openSync, statSync, unlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Bootloader, Decision } from '../bootloader';
import { GuestError, hostError, notFound } from '../bytes/errors';
import { copyFile } from '../extract/copy';
import { copyInitrds } from '../extract/initrd';
import type { ExtractOptions } from './public';
import { FileWriter } from './writer';

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_RDWR } = constants;

interface OutputFile {
  readonly fd: number;
  readonly path: string;
}

/** A new file, never through a link or over another's. Read again by a policy that judges what was copied. */
function newFile(directory: string, name: string): OutputFile {
  const path = join(directory, `${name}.${randomBytes(4).toString('hex')}`);
  try {
    return { path, fd: openSync(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600) };
  } catch (error) {
    throw hostError(`cannot make ${path}`, error);
  }
}

function mustBeDirectory(directory: string): string {
  let is = false;
  try {
    is = statSync(directory).isDirectory();
  } catch (error) {
    throw hostError(directory, error);
  }
  if (!is) throw new GuestError('io', `${directory}: not a directory`);
  return resolve(directory);
}

/** @throws GuestError; no file is left then */
export async function extractTo(
  directory: string,
  { target, where }: Decision,
  { decompress, check }: ExtractOptions,
  loader: Bootloader,
  say: (line: string) => void,
): Promise<{ kernel: string; ramdisk: string | null }> {
  const { kernel, initrds } = target;
  const found = kernel?.found;
  if (!kernel || !found) throw notFound(kernel?.problem ?? 'no kernel is named', where);
  const into = mustBeDirectory(directory);
  const files: OutputFile[] = [];
  const make = (name: string): OutputFile => {
    const file = newFile(into, name);
    files.push(file);
    return file;
  };
  const writer = ({ fd, path }: OutputFile) => new FileWriter(fd, path);
  const ctx = loader.context;
  let good = false;
  try {
    const first = make('boot_kernel');
    const second = initrds.length > 0 ? make('boot_ramdisk') : undefined;
    const out = writer(first);
    await copyFile(found.fs, found.node, out, ctx);
    await out.end();
    if (second) {
      const ramdisk = writer(second);
      await copyInitrds(initrds, ramdisk, ctx);
      await ramdisk.end();
    }
    loader.policy?.checkCopied(target, { kernel: first, ramdisk: second ?? first }, ctx);
    if (decompress || check) {
      const { finishKernel } = require('../extract/kernel') as typeof import('../extract/kernel');
      const tasks = { ...(decompress ? { decompress } : {}), ...(check ? { check } : {}) };
      await finishKernel(first, tasks, ctx, say, writer);
    }
    good = true;
    return { kernel: first.path, ramdisk: second?.path ?? null };
  } catch (error) {
    if (error instanceof GuestError) error.where.unshift(where);
    throw error;
  } finally {
    for (const { fd, path } of files) {
      if (!good) unlinkSync(path);
      closeSync(fd);
    }
  }
}
