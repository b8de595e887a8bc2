/** Boot configurations that are named in the diagnostics and never run: U-Boot's, Windows'. */
import { GuestError, unsupported } from '../../bytes/errors';
import { type ByteString, printable } from '../../bytes/text';
import { HEAD_BYTES, readRange } from '../../kernel/head';
import type { BootContext, BootMenu, ConfigFile } from '../model';

const WINDOWS = /(?:bootmgr|ntldr|bootmgfw\.efi)$/i;

/** @throws GuestError `unsupported`, always: with what the file is, and what can be done */
export function evaluate(config: ConfigFile, ctx: BootContext): BootMenu {
  if (WINDOWS.test(config.path))
    throw unsupported('Windows: boots as HVM only, not through a bootloader program');
  throw unsupported(
    `${uboot(config, ctx)}, which is not run here: an extlinux.conf in the guest, or --kernel and --ramdisk, will boot it`,
  );
}

/** The legacy image header (U-Boot, include/image.h): magic, then type at 30, name at 32. */
const UIMAGE = 0x27051956;
const SCRIPT = 6;

function uboot(config: ConfigFile, ctx: BootContext): string {
  try {
    const head = readRange(config.fs, config.node, 0, HEAD_BYTES, ctx);
    if (head.length >= 64 && head.readUInt32BE(0) === UIMAGE) {
      const name: ByteString = head.toString('latin1', 32, 64).replace(/\0[\s\S]*$/, '');
      const what = head[30] === SCRIPT ? 'a U-Boot script' : `a U-Boot image of type ${head[30]}`;
      return name === '' ? what : `${what} ('${printable(name)}')`;
    }
    if (head.length >= 4 && head.readUInt32BE(0) === 0xd00dfeed) return 'a U-Boot script (FIT image)';
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
  }
  return config.path.endsWith('.txt') ? "U-Boot's environment" : 'a U-Boot script without its header';
}
