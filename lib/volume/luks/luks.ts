/** LUKS: from a volume and keys to the bytes inside. What is read and what is refused: README. */
import type { Context } from '../../bytes/budget';
import type { BlockSource } from '../../source/types';
import { type LuksHeader, readHeader } from './header';
import { KeyWork, openSlots } from './key';
import { CryptSource } from './source';

export { type LuksHeader, readHeader } from './header';
export { KeyWork } from './key';

/** GRUB's form of a UUID, without dashes. */
export const shortUuid = (header: LuksHeader): string => header.uuid.replaceAll('-', '');

/**
 * Opens the volume with the first secret that fits. Asynchronous for the sake of WebAssembly's Argon2; what it gives is not.
 * @param data the volume; the header is on `on`, which is the same without a detached header
 * @param secrets not kept; the caller's to wipe
 * @returns undefined when none of them opens a key slot
 * @throws GuestError
 */
export async function openLuks(
  data: BlockSource,
  header: LuksHeader,
  secrets: readonly Uint8Array[],
  ctx: Context,
  {
    on = data,
    work = new KeyWork(),
    label = data.label,
  }: { on?: BlockSource; work?: KeyWork; label?: string } = {},
): Promise<BlockSource | undefined> {
  for (const secret of secrets) {
    const opened = await openSlots(on, header, secret, work, ctx);
    if (!opened) continue;
    try {
      return new CryptSource(data, header.segment, opened.key, label);
    } finally {
      opened.key.fill(0);
    }
  }
  return undefined;
}

/** `openLuks` for a volume that has its own header; undefined also where there is none. */
export async function openVolume(
  data: BlockSource,
  secrets: readonly Uint8Array[],
  ctx: Context,
): Promise<BlockSource | undefined> {
  const header = readHeader(data, ctx);
  return header && openLuks(data, header, secrets, ctx);
}
