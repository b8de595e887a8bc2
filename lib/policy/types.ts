/** What the rest of the program knows of a policy: where it is asked. Types only; the policy itself is a chunk. */
import type { GuestParts } from '../boot/guest';
import type { BootContext, BootMenu, BootTarget, ConfigFile } from '../boot/model';

/** Where kernel and ramdisk were copied to: descriptors that can be read again. */
export type Copies = Readonly<Record<'kernel' | 'ramdisk', { readonly fd: number }>>;

export interface Policy {
  /** Nobody is shown a menu. */
  readonly quiet: boolean;
  /** True, and said, where kernels without a configuration are not to be looked for. */
  refusesGuess(say: (line: string) => void): boolean;
  /** Lets only the filesystems of allowed kinds on allowed volumes be opened. */
  guard(open: GuestParts['openFileSystem']): GuestParts['openFileSystem'];
  /** @throws GuestError when nothing may come from this tree (`--location`) */
  location(url: string): void;
  /** @throws GuestError when this kind of configuration is refused */
  dialect(name: string): void;
  /** The menu in which every target, however it comes about, has been judged. */
  judgedMenu(menu: BootMenu, config: ConfigFile, ctx: BootContext): BootMenu;
  /** The target with the arguments that the guest gets, and the rule that refuses it as its `problem`. */
  judged(target: BootTarget, ctx: BootContext): BootTarget;
  /**
   * Looks at what was copied.
   * @throws GuestError that names the rule which refuses it
   */
  checkCopied(target: BootTarget, outputs: Copies, ctx: BootContext): void;
}
