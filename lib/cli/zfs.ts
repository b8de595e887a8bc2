/** `zfs-bootfs=` in `--args` (CONTRACT, "Where it looks"; pygrub's rules). */
import type { ByteString } from '../bytes/text';

/** The dataset that the admin names, up to a blank, comma or quote. */
export function namedBootfs(args: ByteString): ByteString | undefined {
  return /zfs-bootfs=([^\s,"]+)/.exec(args)?.[1];
}

/**
 * The arguments with what the kernel must know of the dataset: in place of the admin's own `zfs-bootfs=…`, or behind
 * `-B`. Without any arguments there is nothing to add it to.
 */
export function withBootString(args: ByteString, bootString: ByteString): ByteString {
  if (args === '') return '';
  let replaced = false;
  const merged = args.replace(/zfs-bootfs=[\w\-.:@/]+/g, () => {
    replaced = true;
    return bootString;
  });
  return replaced ? merged : `${args} -B ${bootString}`;
}
