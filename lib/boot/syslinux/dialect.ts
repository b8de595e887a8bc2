/**
 * syslinux, extlinux, isolinux and pxelinux: one configuration language (README.md). Evaluated as syslinux 6.04 does it,
 * from the moment at which it has found its configuration.
 */
import type { BootContext, BootMenu, ConfigFile } from '../model';
import { startCore } from './menu';
import { type EvaluateOptions, Place } from './place';

export type { EvaluateOptions } from './place';

/** @throws GuestError when the file cannot be read */
export function evaluate(config: ConfigFile, ctx: BootContext): BootMenu {
  return evaluateFrom(config, ctx, {});
}

/**
 * The same with another root or working directory (GRUB's `syslinux_source -r ROOT -c CWD`).
 * @throws GuestError when the file cannot be read
 */
export function evaluateFrom(config: ConfigFile, ctx: BootContext, options: EvaluateOptions): BootMenu {
  const place = new Place(config, ctx, options);
  return startCore({ ctx, place, chain: [`config ${config.path} ${place.cwd}`] });
}
