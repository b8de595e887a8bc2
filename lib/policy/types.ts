/** What the rest of the program knows of a policy: where it is asked. Types only; the policy itself is a chunk. */
import type { GuestParts } from '../boot/guest';
import type { BootContext, BootMenu, BootTarget, ConfigFile } from '../boot/model';

export interface Policy {
  /** False: nobody is shown a menu. */
  readonly menu: boolean;
  /** Set where kernels are not to be looked for: that rule, for the log. */
  readonly noGuess: string | undefined;
  /** Lets only the filesystems of allowed kinds on allowed volumes be opened. */
  guard(open: GuestParts['openFileSystem']): GuestParts['openFileSystem'];
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
  checkCopied(target: BootTarget, kernel: number, ramdisk: number, ctx: BootContext): void;
}
