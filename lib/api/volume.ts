/** A volume of a guest's as the library shows it. */
import type { Volume as GuestVolume } from '../boot/guest';
import type { Context } from '../bytes/budget';
import { GuestError } from '../bytes/errors';
import { toUnicode } from '../bytes/text';
import { readBytes } from '../source/types';
import { GuestFileSystem } from './filesystem';
import type { FileSystem, PartitionRow, Volume } from './public';

export class OpenedVolume implements Volume {
  readonly name: string;
  readonly disk: string;
  readonly size: number;
  readonly partition: PartitionRow | null;
  readonly #volume: GuestVolume;
  readonly #ctx: Context;
  readonly #enter: () => void;
  #filesystem: GuestFileSystem | undefined;

  /** @param enter begins a call, or throws because the disk is closed */
  constructor(volume: GuestVolume, ctx: Context, enter: () => void) {
    this.#volume = volume;
    this.#ctx = ctx;
    this.#enter = enter;
    this.name = toUnicode(volume.name);
    this.disk = toUnicode(volume.disk);
    this.size = volume.source.size;
    const { partition, scheme } = volume;
    this.partition = partition
      ? {
          scheme: scheme ?? '',
          number: partition.number,
          start: partition.start,
          active: partition.active,
          type: partition.type,
          uuid: partition.uuid ?? null,
          label: partition.label ?? null,
        }
      : null;
  }

  get type(): string | null {
    return this.#brief()?.type ?? null;
  }

  get uuid(): string | null {
    return this.#brief()?.uuid ?? null;
  }

  get label(): string | null {
    return this.#brief()?.label ?? null;
  }

  #brief(): FileSystem | undefined {
    try {
      return this.filesystem();
    } catch (error) {
      if (!(error instanceof GuestError)) throw error;
      return undefined;
    }
  }

  filesystem(): FileSystem | undefined {
    this.#enter();
    const driver = this.#volume.filesystem();
    if (driver) this.#filesystem ??= new GuestFileSystem(driver, this.#volume, this.#ctx, this.#enter);
    return driver && this.#filesystem;
  }

  read(at: number, length: number): Uint8Array {
    this.#enter();
    return readBytes(this.#volume.source, at, length, this.#ctx);
  }
}
