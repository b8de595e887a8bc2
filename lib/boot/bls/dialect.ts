/** Boot Loader Specification entries on a volume that has no loader.conf: the same menu, without its default. */
import type { BootContext, BootMenu, ConfigFile } from '../model';

export function evaluate(config: ConfigFile, ctx: BootContext): BootMenu {
  const { evaluate } = require('../sdboot/dialect') as typeof import('../sdboot/dialect');
  return evaluate(config, ctx);
}
