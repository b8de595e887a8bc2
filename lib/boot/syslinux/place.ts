/** Where a configuration's file names lead: its volume, its root there, its working directory. */
import type { Context } from '../../bytes/budget';
import { type ByteString, fromBytes } from '../../bytes/text';
import { readWhole } from '../../fs/file';
import { splitDevice } from '../guest';
import type { BootContext, ConfigFile, GuestFile } from '../model';
import { firstWord } from './parser';

export interface EvaluateOptions {
  /** Directory that the configuration takes for `/` (an ISO's tree that was unpacked somewhere). */
  readonly root?: ByteString;
  /** Directory, seen from `root`, that relative names start from; by default the configuration's own. */
  readonly cwd?: ByteString;
}

export class Place {
  /** Seen from `root`, without a slash at its end. */
  readonly cwd: ByteString;
  readonly root: ByteString;

  constructor(
    readonly config: ConfigFile,
    private readonly ctx: BootContext,
    options: EvaluateOptions = {},
  ) {
    this.root = (options.root ?? '').replace(/\/+$/, '');
    const { path } = config;
    const own = path.slice(0, path.lastIndexOf('/'));
    const inRoot = this.root !== '' && `${own}/`.startsWith(`${this.root}/`);
    this.cwd = (options.cwd ?? (inRoot ? own.slice(this.root.length) : own)).replace(/\/+$/, '');
  }

  get iso(): boolean {
    return this.config.fs.type === 'iso9660';
  }

  /** The same for a file or working directory that the configuration itself goes over to. */
  at(file: ByteString, directory: ByteString | undefined): Place | GuestFile {
    const found = this.file(file);
    if (!found.found || !found.volume) return found;
    const { fs, node } = found.found;
    const cwd = directory === undefined ? this.cwd : this.#absolute(directory);
    const config = { volume: found.volume, path: found.path, fs, node };
    return new Place(config, this.ctx, { root: this.root, cwd });
  }

  /** Seen from `root`. FAT takes backslashes too; `::x` is PXELINUX' name for an absolute path. */
  #absolute(name: ByteString): ByteString {
    let path = firstWord(name);
    if (this.config.fs.type === 'vfat') path = path.replaceAll('\\', '/');
    if (path.startsWith('::')) path = `/${path.slice(2)}`;
    return (path.startsWith('/') ? path : `${this.cwd}/${path}`).replace(/\/{2,}/g, '/');
  }

  /** Found or not. A device that does not exist means the configuration's own. */
  file(name: ByteString): GuestFile {
    const { guest } = this.ctx;
    const { volume } = this.config;
    if (name.startsWith('(') && name.includes(')')) {
      const file = guest.file(firstWord(name), volume);
      return file.volume ? file : guest.file(splitDevice(firstWord(name)).path, volume);
    }
    return guest.file(this.root + this.#absolute(name), volume);
  }

  /** @throws GuestError */
  text(file: GuestFile, ctx: Context): ByteString {
    const { fs, node } = file.found!;
    return fromBytes(readWhole(fs, node, 'configBytes', ctx));
  }
}
