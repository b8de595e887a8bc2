/** The entry that `default saved` means. */
import type { Context } from '../../bytes/budget';
import { GuestError } from '../../bytes/errors';
import type { ByteString } from '../../bytes/text';
import { readRange } from '../../kernel/head';
import type { Guest, Volume } from '../guest';
import type { GuestFile } from '../model';
import { leadingNumber } from './lines';

export interface Saved {
  readonly entry: number;
  /** Set when `entry` is for one boot only, and this is the one after it. */
  readonly afterwards?: number;
}

/** Where Red Hat's GRUB keeps it: in stage2's second sector (shared.h: STAGE2_SAVED_ENTRYNO …). */
const STAGE2 = { at: 512, version: 6, savedEntry: 12, id: 16, versionWanted: 0x0203, onceOnly: 0x10000 };

const head = ({ found }: GuestFile, count: number, ctx: Context): Buffer =>
  readRange(found!.fs, found!.node, 0, count, ctx);

/**
 * From the file `default` beside the configuration (a number and line feeds in ten bytes, then a warning for people;
 * Debian's grub-reboot writes `AFTERWARDS:ONCE`), or else from `stage2` beside it, as Red Hat does it.
 * @param folder of the configuration, with the slash
 */
export function savedEntry(guest: Guest, volume: Volume, folder: ByteString, ctx: Context): Saved {
  try {
    const file = guest.file(`${folder}default`, volume);
    if (file.found?.node.kind === 'file') {
      // The tenth byte is overwritten by GRUB before it looks.
      const text = head(file, 9, ctx).toString('latin1');
      const colon = text.indexOf(':');
      const entry = leadingNumber(text.slice(colon + 1))?.value ?? 0;
      return colon < 0 ? { entry } : { entry, afterwards: leadingNumber(text)?.value ?? 0 };
    }
    const stage2 = guest.file(`${folder}stage2`, volume);
    if (stage2.found?.node.kind === 'file' && stage2.found.node.size <= ctx.budget.limits.smallFileBytes) {
      const sector = head(stage2, 1024, ctx).subarray(STAGE2.at);
      if (
        sector.length === 512 &&
        sector.readUInt16LE(STAGE2.version) === STAGE2.versionWanted &&
        sector[STAGE2.id] === 0
      ) {
        const value = sector.readUInt32LE(STAGE2.savedEntry);
        if (value < 256) return { entry: value };
        if ((value & ~0xffff) === STAGE2.onceOnly)
          return { entry: (value & 0xffff) >> 8, afterwards: value & 0xff };
      }
    }
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
  }
  return { entry: 0 };
}
