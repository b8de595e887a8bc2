/** Which of the directory trees is used: as Linux decides, Rock Ridge, then Joliet; then enhanced, then plain names. */
import type { Context } from '../../lib/bytes/budget';
import { corrupt, GuestError } from '../../lib/bytes/errors';
import type { BlockSource } from '../../lib/source/types';
import { checkedBlockSize, type Tree, type TreeKind, type Trees } from './descriptors';
import { isParent, isSelf, readRecord, readRecords } from './directory';
import { IsoDisk, type Section } from './disk';
import { DirectoryRecord } from './layout';
import { detectRockRidge, type RockRidge } from './rockridge';

export interface Root {
  readonly disk: IsoDisk;
  readonly tree: Tree;
  readonly sections: readonly Section[];
  readonly rock: RockRidge | undefined;
}

/** @throws GuestError `corrupt` when no tree has a root directory that can be read */
export function chooseRoot(source: BlockSource, trees: Trees, ctx: Context): Root {
  const problems: string[] = [];
  const attempt = (kind: TreeKind): Root | undefined => {
    const tree = trees[kind];
    if (!tree) return undefined;
    try {
      return openRoot(source, tree, trees.Joliet !== undefined, ctx);
    } catch (error) {
      // 'io' is the host's: another tree lies elsewhere.
      if (!(error instanceof GuestError) || error.code === 'limit') throw error;
      problems.push(error.describe());
      return undefined;
    }
  };
  const primary = attempt('primary');
  // Disks exist whose Rock Ridge tree is empty and whose Joliet tree is not (Linux: rootdir_empty).
  const chosen =
    (primary?.rock && !(trees.Joliet && isEmpty(primary)) ? primary : undefined) ??
    attempt('Joliet') ??
    (primary?.rock ? primary : undefined) ??
    attempt('enhanced') ??
    primary;
  if (!chosen) throw corrupt(problems.join('; '));
  for (const problem of problems) ctx.warn(`${problem}; the ${chosen.tree.kind} tree is used`);
  for (const what of chosen.tree.disagreeing)
    ctx.warn(
      `${chosen.tree.kind} descriptor: ${what}, by byte order, for the ${what.split(' (')[0]}; the first is used`,
    );
  return chosen;
}

function openRoot(source: BlockSource, tree: Tree, joliet: boolean, ctx: Context): Root {
  const disk = new IsoDisk(source, ctx, checkedBlockSize(tree));
  const sections = [{ at: tree.rootBlock * disk.blockSize, length: tree.rootSize }];
  const where = `root directory of the ${tree.kind} tree in block ${tree.rootBlock}`;
  if (tree.rootSize < DirectoryRecord.size + 1) throw corrupt(`${tree.rootSize} bytes`, where);
  const length = Math.min(tree.rootSize, 255);
  let rock: RockRidge | undefined;
  try {
    disk.check([{ at: sections[0]!.at, length }]);
    const self = readRecord(disk, disk.read(sections, 0, length), 0, sections[0]!.at);
    if (!isSelf(self)) throw corrupt('does not begin with a record of its own');
    if (tree.kind === 'primary') rock = detectRockRidge(disk, self.systemUse, joliet);
  } catch (error) {
    if (error instanceof GuestError) error.where.unshift(where);
    throw error;
  }
  return { disk, tree, sections, rock };
}

function isEmpty(root: Root): boolean {
  for (const record of readRecords(root.disk, root.sections, root.tree.rootSize, () => {}))
    if (!isSelf(record) && !isParent(record)) return false;
  return true;
}
