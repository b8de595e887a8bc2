/** GRUB 0.97's menu.lst and grub.conf as a boot dialect. */
import type { BootContext, BootMenu, ConfigFile } from '../model';
import { readMenu } from './menu';

/** @throws GuestError when the file cannot be read */
export function evaluate(config: ConfigFile, ctx: BootContext): BootMenu {
  return readMenu(config, {
    ctx,
    budget: ctx.budget.child('evaluation', 'the configuration'),
    home: config.volume,
    level: 0,
  });
}
