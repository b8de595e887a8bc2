/** The members of a filesystem, found among the guest's other volumes when they are wanted. */
import type { Context } from '../../lib/bytes/budget';
import { GuestError } from '../../lib/bytes/errors';
import type { BlockSource } from '../../lib/source/types';
import { Superblock } from './layout';
import { superblockBytes } from './superblock';

export interface Device {
  readonly source: BlockSource;
  readonly generation: number;
  readonly fsid: string;
  readonly metadataUuid: string;
  readonly devid: number;
  readonly seeding: boolean;
  readonly bytes: Buffer;
}

/** Volumes that are looked at; a guest has a few. */
const MOST = 4096;

function deviceOn(source: BlockSource, ctx: Context): { uuid: string; device: Device } | undefined {
  try {
    const bytes = superblockBytes(source, ctx, true);
    if (!bytes) return undefined;
    const f = Superblock.fields;
    return {
      uuid: f.dev_item_uuid.read(bytes, 0).toString('hex'),
      device: {
        source,
        generation: f.generation.read(bytes, 0),
        fsid: f.fsid.read(bytes, 0).toString('hex'),
        metadataUuid: f.metadata_uuid.read(bytes, 0).toString('hex'),
        devid: f.dev_item_devid.read(bytes, 0),
        seeding: (f.flags.read(bytes, 0) & (1n << 32n)) !== 0n,
        bytes,
      },
    };
  } catch (error) {
    // A volume that cannot be read is no member; whoever wants it will say what is missing.
    if (!(error instanceof GuestError)) throw error;
    ctx.budget.step(0);
    return undefined;
  }
}

/** By the device's own UUID, which no two members share, seeds included. */
export class Devices {
  readonly #found = new Map<string, Device>();
  #others: (() => Iterable<BlockSource>) | undefined;
  readonly #ctx: Context;

  constructor(own: BlockSource, ctx: Context, others: () => Iterable<BlockSource>) {
    this.#ctx = ctx;
    this.#others = others;
    this.#add(own);
  }

  #add(source: BlockSource): void {
    const found = deviceOn(source, this.#ctx);
    if (!found) return;
    // The same member twice (a clone): the newer one.
    const known = this.#found.get(found.uuid);
    if (!known || known.generation < found.device.generation) this.#found.set(found.uuid, found.device);
  }

  /** Looks at the other volumes, once. */
  search(): void {
    const others = this.#others;
    if (!others) return;
    this.#others = undefined;
    let count = 0;
    for (const source of others()) {
      this.#ctx.budget.step();
      if (++count > MOST) return;
      this.#add(source);
    }
  }

  get(uuid: string): Device | undefined {
    let found = this.#found.get(uuid);
    if (!found && this.#others) {
      this.search();
      found = this.#found.get(uuid);
    }
    return found;
  }

  /** The newest member of the filesystem `fsid`, of those that are known. */
  newest(fsid: string): Device | undefined {
    let newest: Device | undefined;
    for (const device of this.#found.values())
      if (device.fsid === fsid && (!newest || device.generation > newest.generation)) newest = device;
    return newest;
  }

  /** What tree blocks of this device may carry. */
  *fsids(): Generator<string> {
    for (const device of this.#found.values()) {
      yield device.fsid;
      yield device.metadataUuid;
    }
  }
}
