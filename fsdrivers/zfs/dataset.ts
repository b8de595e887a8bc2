/** DSL: directories of datasets, their heads and snapshots. */
import { corrupt, unsupported, within } from '../../lib/bytes/errors';
import { type ByteString, printable } from '../../lib/bytes/text';
import { blockPointer } from './blockpointer';
import { type Dnode, Objset } from './dnode';
import { DATASET_BP, OS_TYPE, OT } from './layout';
import { numberIn, Zap } from './zap';

/** A place in the tree of datasets. */
export interface DatasetDirectory {
  /** Its object in the MOS. */
  readonly object: number;
  /** Without the pool's: `ROOT/x`; '' for the root. */
  readonly name: ByteString;
  /** Object of the dataset itself. */
  readonly head: number;
  readonly children: number;
}

/** zfs_max_dataset_nesting */
const NESTED_MOST = 50;

/** Names that begin with `$` or `%` are ZFS' own. */
const hidden = (name: ByteString): boolean => /^[$%]/.test(name);

export class Datasets {
  readonly #mos: Objset;
  readonly root: DatasetDirectory;

  constructor(mos: Objset, root: number) {
    this.#mos = mos;
    this.root = this.#directory(root, '');
  }

  #directory(object: number, name: ByteString): DatasetDirectory {
    return within(`dataset '${printable(name)}'`, () => {
      const dnode = this.#mos.dnode(object);
      if (dnode.bonusType !== OT.dslDir) throw corrupt(`object ${object} is no directory of datasets`);
      const raw = dnode.pool.of(dnode.bonus.big).DslDir.read(dnode.bonus.bytes);
      return { object, name, head: raw.dd_head_dataset_obj, children: raw.dd_child_dir_zapobj };
    });
  }

  #names(object: number): Zap | undefined {
    return object === 0 ? undefined : new Zap(this.#mos.dnode(object));
  }

  child(of: DatasetDirectory, name: ByteString): DatasetDirectory | undefined {
    if (hidden(name)) return undefined;
    const object = this.#names(of.children)?.count(name);
    return object === undefined ? undefined : this.#directory(object, of.name ? `${of.name}/${name}` : name);
  }

  *childNames(of: DatasetDirectory): Generator<ByteString> {
    for (const { name } of this.#names(of.children)?.entries() ?? []) if (!hidden(name)) yield name;
  }

  /** The dataset's own dnode in the MOS. */
  #dataset(object: number): { dnode: Dnode; directory: number; snapshots: number } {
    const dnode = this.#mos.dnode(object);
    if (dnode.bonusType !== OT.dslDataset) throw corrupt(`object ${object} is no dataset`);
    const raw = dnode.pool.of(dnode.bonus.big).DslDataset.read(dnode.bonus.bytes);
    return { dnode, directory: raw.ds_dir_obj, snapshots: raw.ds_snapnames_zapobj };
  }

  /** The object of a snapshot. */
  snapshot(of: DatasetDirectory, name: ByteString): number | undefined {
    if (of.head === 0) return undefined;
    return this.#names(this.#dataset(of.head).snapshots)?.count(name);
  }

  *snapshotNames(of: DatasetDirectory): Generator<ByteString> {
    if (of.head === 0) return;
    for (const { name } of this.#names(this.#dataset(of.head).snapshots)?.entries() ?? []) yield name;
  }

  /**
   * The files of a dataset or snapshot.
   * @throws GuestError `unsupported`: encrypted, a volume
   */
  objset(object: number, name: ByteString): Objset {
    return within(`dataset '${printable(name)}'`, () => {
      const { dnode } = this.#dataset(object);
      const pointer = blockPointer(dnode.bonus, DATASET_BP);
      if (!pointer) throw corrupt('there is nothing in it');
      if (pointer.kind === 'stored' && pointer.encrypted) throw unsupported('an encrypted dataset');
      const objset = new Objset(dnode.pool, pointer);
      if (objset.type === OS_TYPE.zvol) throw unsupported('a dataset that is a volume (zvol)');
      if (objset.type !== OS_TYPE.zfs) throw unsupported(`a dataset of type ${objset.type}`);
      return objset;
    });
  }

  /** The name of the dataset `object`, found from it upwards: a tree may be large. */
  nameOf(object: number): ByteString {
    const names: ByteString[] = [];
    let { directory } = this.#dataset(object);
    while (directory !== this.root.object) {
      const { bonus, pool } = this.#mos.dnode(directory);
      const parent = pool.of(bonus.big).DslDir.read(bonus.bytes).dd_parent_obj;
      const { children } = this.#directory(parent, names.join('/'));
      let found: ByteString | undefined;
      for (const entry of this.#names(children)?.entries() ?? [])
        if (numberIn(entry) === directory) found = entry.name;
      if (found === undefined || names.unshift(found) > NESTED_MOST)
        throw corrupt(`dataset ${object} is not in the tree`);
      directory = parent;
    }
    return names.join('/');
  }

  /** The whole tree, parents first. */
  *all(from = this.root, depth = 0): Generator<DatasetDirectory> {
    yield from;
    if (depth >= NESTED_MOST) return;
    for (const name of this.childNames(from)) {
      const child = this.child(from, name);
      if (child) yield* this.all(child, depth + 1);
    }
  }
}
