/** A NetWare PV guest: its loader lies at a fixed place. */
import type { BootContext, BootMenu, ConfigFile } from '../model';
import { plainEntry, plainMenu } from '../plain';

/** `config` is the loader itself. */
export function evaluate(config: ConfigFile, ctx: BootContext): BootMenu {
  const { volume, path } = config;
  const entry = plainEntry({
    title: 'NetWare',
    id: path,
    kernel: path,
    ramdisks: [],
    args: '',
    root: volume.name,
    load: (name) => ctx.guest.file(name, volume),
  });
  return plainMenu([entry], { timeout: 0, timeoutStyle: 'hidden' });
}
