/** From members to a state of the pool: its newest uberblock, or an older one where that cannot be read. */
import type { Context } from '../../lib/bytes/budget';
import { corrupt, GuestError, unsupported, within } from '../../lib/bytes/errors';
import { type ByteString, printable } from '../../lib/bytes/text';
import { Datasets } from './dataset';
import { Objset } from './dnode';
import { openMapping } from './indirect';
import { type Label, type Uberblock, uberblocks } from './label';
import { FEATURES, MOS_DIRECTORY, POOL_STATE, VERSION_FEATURES, VERSION_LAST } from './layout';
import { leaves, type Members } from './members';
import { count, listOf, listsOf, type Nvlist, nvlist, textOf } from './nvlist';
import { Pool } from './pool';
import { openVdev, type Vdev } from './vdev';
import { Zap } from './zap';

export interface State {
  readonly ctx: Context;
  readonly guid: bigint;
  readonly name: ByteString;
  readonly datasets: Datasets;
  /** Object of the dataset that the pool's property names. */
  readonly bootfs: number | undefined;
  /** Where Solaris' firmware finds the member that was opened first. */
  readonly physicalPath: ByteString | undefined;
}

/** Uberblocks tried. Blocks that are freed stay for a few transaction groups; older states fall apart. */
const STATES_MOST = 16;
const CONFIG_MOST = 4 * 1024 * 1024;

function checkVersion(version: number): void {
  if (version < 1 || (version > VERSION_LAST && version !== VERSION_FEATURES))
    throw unsupported(`pool version ${version}`);
}

function checkFeatures(names: Iterable<ByteString>): void {
  const unknown = [...names].filter((name) => !FEATURES.has(name)).map((name) => printable(name, 80));
  if (unknown.length > 0) throw unsupported(`pool features ${unknown.slice(0, 8).join(', ')}`);
}

/** @throws GuestError `corrupt`, `unsupported` */
export function openState(label: Label, members: Members, ctx: Context): State {
  checkVersion(label.version);
  if (label.state === POOL_STATE.destroyed)
    throw unsupported(`pool '${printable(label.name)}' was destroyed`);
  checkFeatures(listOf(label.config, 'features_for_read')?.keys() ?? []);
  if (leaves(label.tree) > 1 || (count(label.config, 'vdev_children') ?? 1) > 1) members.search();

  let first: GuestError | undefined;
  let tried = 0;
  for (const uberblock of uberblocks(members.rings(), ctx)) {
    if (++tried > STATES_MOST) break;
    try {
      const state = within(`txg ${uberblock.txg}`, () => stateOf(uberblock, label, members, ctx));
      if (first) ctx.warn(`the pool is read as it was at txg ${uberblock.txg}: ${first.describe()}`);
      return state;
    } catch (error) {
      // What this program lacks is lacking for older states too.
      if (!(error instanceof GuestError) || error.code !== 'corrupt') throw error;
      first ??= error;
    }
  }
  throw first ?? corrupt('no uberblock with a right checksum');
}

function stateOf(uberblock: Uberblock, label: Label, members: Members, ctx: Context): State {
  checkVersion(uberblock.version);
  const pool = new Pool(ctx);
  let mos: Objset | undefined;
  const mapping = (object: number): Vdev => openMapping(pool, () => mos!, object);
  const quiet: Context = { budget: ctx.budget, warn: () => {} };
  const open = (trees: Iterable<readonly [number, Nvlist]>, told: Context) => {
    const vdevs = new Map<number, Vdev | undefined>();
    for (const [id, tree] of trees)
      vdevs.set(
        id,
        within(`vdev ${id}`, () => openVdev(tree, (guid) => members.find(guid), mapping, told)),
      );
    return vdevs;
  };
  // What the labels know is enough to read the pool's own configuration, which knows all.
  pool.vdevs = open(members.trees(), quiet);
  mos = within('MOS', () => new Objset(pool, uberblock.root));
  const objects = mos;
  const directory = within('object directory', () => new Zap(objects.dnode(MOS_DIRECTORY)));

  if (uberblock.version === VERSION_FEATURES) {
    const read = directory.count('features_for_read');
    if (read !== undefined) {
      const active: ByteString[] = [];
      for (const { name, high, low } of new Zap(mos.dnode(read)).entries())
        if (high || low) active.push(name);
      checkFeatures(active);
    }
  }

  const config = directory.count('config');
  if (config === undefined) throw corrupt('a pool without a configuration');
  const trees = within('configuration', () => {
    const dnode = objects.dnode(config);
    if (dnode.bonus.bytes.length < 8) throw corrupt(`its size in ${dnode.bonus.bytes.length} bytes`);
    const length = dnode.pool.of(dnode.bonus.big).u64.read(dnode.bonus.bytes, 0);
    if (length > CONFIG_MOST) throw corrupt(`a configuration of ${length} bytes`);
    const root = listOf(nvlist(dnode.read(0, length).bytes, ctx), 'vdev_tree');
    return root ? listsOf(root, 'children') : [];
  });
  pool.vdevs = open(
    trees.map((tree, i) => [count(tree, 'id') ?? i, tree] as const),
    ctx,
  );

  const root = directory.count('root_dataset');
  if (root === undefined) throw corrupt('a pool without datasets');
  const props = directory.count('pool_props');
  const datasets = new Datasets(mos, root);
  return {
    ctx,
    guid: label.pool,
    name: label.name,
    datasets,
    bootfs: props === undefined ? undefined : new Zap(mos.dnode(props)).count('bootfs') || undefined,
    physicalPath: textOf(label.tree, 'phys_path') ?? firstPath(label.tree),
  };
}

/** The first disk that says where firmware finds it. */
function firstPath(tree: Nvlist): ByteString | undefined {
  for (const child of listsOf(tree, 'children')) {
    const path = textOf(child, 'phys_path') ?? firstPath(child);
    if (path !== undefined) return path;
  }
  return undefined;
}
