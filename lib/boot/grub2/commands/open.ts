/** Opening and reading the files that commands name, with GRUB's errors where that fails. */
import { GuestError } from '../../../bytes/errors';
import type { LimitName } from '../../../bytes/limits';
import { type ByteString, fromBytes, printable } from '../../../bytes/text';
import { fileExtents } from '../../../fs/file';
import type { FileSystem, FsNode } from '../../../fs/types';
import type { Volume } from '../../guest';
import type { GuestFile } from '../../model';
import { seenBy } from '../seen';
import { GRUB_ERROR, type Machine } from './types';

/** A regular file that is there. */
export interface OpenFile {
  readonly file: GuestFile;
  readonly fs: FileSystem;
  readonly node: FsNode;
}

/** The file, or `$?` after GRUB's error was printed. */
export function openFile(machine: Machine, name: ByteString): OpenFile | number {
  if (name.startsWith('(')) {
    const end = name.indexOf(')');
    if (end < 0) return machine.error("missing `)' symbol", GRUB_ERROR.badFilename);
    const volume = openDevice(machine, name.slice(1, end));
    if (typeof volume === 'number') return volume;
  }
  const file = machine.file(name);
  if (!file.found) return machine.fileError(file, name);
  if (file.found.node.kind !== 'file') return machine.error('not a regular file', GRUB_ERROR.badFileType);
  return { file, fs: file.found.fs, node: file.found.node };
}

/**
 * A device by the name a command was given, with or without parentheses, or `$?` after GRUB's error.
 */
export function openDevice(machine: Machine, name: ByteString): Volume | number {
  const bare = name.startsWith('(') && name.endsWith(')') ? name.slice(1, -1) : name;
  return machine.guest.device(bare) ?? machine.error(`disk \`${bare}' not found`, GRUB_ERROR.unknownDevice);
}

/** The volume's filesystem, or `$?` after GRUB's error; why it cannot be read is told as a warning. */
export function openFileSystem(machine: Machine, volume: Volume): FileSystem | number {
  try {
    const fs = seenBy(machine, volume);
    if (fs) return fs;
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    machine.warn(`${volume.name}: ${error.describe()}`);
  }
  return machine.error('unknown filesystem', GRUB_ERROR.unknownFilesystem);
}

/** Like `openFileSystem`, and silent: devices that a search or a listing passes over. */
export function quietFileSystem(machine: Machine, volume: Volume): FileSystem | undefined {
  try {
    return seenBy(machine, volume);
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    return undefined;
  }
}

/** Where `save_env` keeps what it did not write: the same file by any of its paths. */
export function writtenKey(open: OpenFile): string {
  return `${open.file.volume?.name ?? ''} ${open.node.id}`;
}

const CHUNK = 64 * 1024;

/**
 * The file's bytes in pieces of at most 64 KiB, up to `maxBytes`; what `save_env` changed is seen. A piece is only
 * good until the next one is asked for.
 * @throws GuestError
 */
export function* fileBytes(machine: Machine, open: OpenFile, maxBytes = Infinity): Generator<Buffer> {
  const written = machine.writtenFiles.get(writtenKey(open));
  if (written !== undefined) {
    yield Buffer.from(written, 'latin1');
    return;
  }
  const end = Math.min(open.node.size, maxBytes);
  let buffer: Buffer | undefined;
  for (const extent of fileExtents(open.fs, open.node, machine)) {
    if (extent.offset >= end) break;
    const length = Math.min(extent.length, end - extent.offset);
    const packed = extent.kind === 'packed' ? extent.unpack() : undefined;
    for (let done = 0; done < length; done += CHUNK) {
      const count = Math.min(CHUNK, length - done);
      machine.budget.step();
      machine.budget.read(count);
      if (!buffer) {
        const size = Math.min(CHUNK, end);
        machine.budget.allocate(size);
        buffer = Buffer.alloc(size);
      }
      const piece = buffer.subarray(0, count);
      if (extent.kind === 'data') extent.source.read(extent.at + done, piece);
      else {
        piece.fill(0);
        const from = extent.kind === 'inline' ? extent.bytes : packed;
        if (from) piece.set(from.subarray(done, done + count));
      }
      yield piece;
    }
  }
}

/**
 * A small file whole.
 * @throws GuestError `limit` above the limit of that name
 */
export function fileText(machine: Machine, open: OpenFile, most: LimitName): ByteString {
  const parts: ByteString[] = [];
  machine.budget.most(most, open.node.size, 'bytes of a file', printable(open.file.path));
  for (const piece of fileBytes(machine, open)) {
    machine.budget.allocate(piece.length);
    parts.push(fromBytes(piece));
  }
  return parts.join('');
}

/**
 * Runs what reads a file: a GuestError that is about the file becomes GRUB's read error; a used-up budget propagates,
 * because it must end the evaluation.
 */
export function reading(machine: Machine, body: () => number): number {
  try {
    return body();
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    // Either throws again when it was the budget itself.
    machine.budget.step(0);
    machine.budget.read(0);
    machine.budget.allocate(0);
    machine.warn(error.describe());
    return machine.error('attempt to read or write outside of disk', GRUB_ERROR.fileRead);
  }
}
