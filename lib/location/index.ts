/**
 * The kinds of trees, in the order in which they are asked. `.treeinfo` says whose it is, so those that read it come first (SUSE's
 * before Red Hat's, which takes what is left), then those that an index names, then those that are known by their files alone.
 */
import { GuestError } from '../bytes/errors';
import { alpine } from './alpine';
import { arch } from './arch';
import { debian } from './debian';
import { redhat } from './redhat';
import { suse } from './suse';
import type { Installer, Tree, TreeKind } from './tree';
import { ubuntu } from './ubuntu';

export const kinds: readonly TreeKind[] = [suse, redhat, debian, ubuntu, arch, alpine];

/** @throws GuestError `not-found` where the tree is of no known kind */
export async function findInstaller(tree: Tree): Promise<Installer> {
  for (const kind of kinds) {
    const found = await kind.find(tree);
    if (found) return found;
  }
  throw new GuestError(
    'not-found',
    'no installer that is known here (docs/location.md lists the kinds of trees)',
  );
}
