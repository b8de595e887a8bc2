/** GRUB 0.97's names of devices: disks and partitions count from 0, `(hd0,0)` is the first partition of the first disk. */
import type { ByteString } from '../../bytes/text';
import type { Guest, Volume } from '../guest';
import { leadingNumber } from './lines';

export interface Device {
  /** Undefined: understood, and this guest has no such device. */
  readonly volume: Volume | undefined;
  /** As it was written, with parentheses. */
  readonly name: ByteString;
  /** What follows the parenthesis. */
  readonly rest: ByteString;
}

/** GRUB: partitions up to 254, BSD partitions `a` to `h`. */
const MAX_PARTITION = 254;

/**
 * `(hd0)`, `(hd0,4)`, `(hd0,0,a)`, `(hd0,a)`, `(fd0)`, `(nd)`, `(cd)`, `(0x80,0)`, and `()`, `(,0)` for the disk of
 * `root`. Names of PVGrub and pygrub (`(xen/xvda,msdos1)`, `(/dev/xvda)`, `(hd0,msdos1)`) mean what they mean there.
 * @returns undefined where GRUB says "unrecognized device string"
 */
export function parseDevice(text: ByteString, guest: Guest, root: Volume): Device | undefined {
  const match = /^\(([^)]*)\)/.exec(text);
  if (!match) return undefined;
  const inner = match[1]!;
  const named = (volume: Volume | undefined): Device => ({
    volume,
    name: match[0],
    rest: text.slice(match[0].length),
  });
  if (/^(?:xen\/|\/dev\/)|,(?:msdos|gpt)\d+$/.test(inner)) return named(guest.device(inner));

  const drive = /^(?:hd|fd|nd|cd)?/.exec(inner)![0];
  let rest = inner.slice(drive.length);
  let disk = root.disk;
  if (drive === 'nd' || drive === 'cd') disk = '';
  else if (rest !== '' && !rest.startsWith(',')) {
    const number = leadingNumber(rest);
    if (!number) return undefined;
    rest = number.rest;
    // BIOS numbers: hard disks have bit 7.
    if (drive === 'hd') disk = `hd${number.value}`;
    else disk = drive === '' && number.value >= 0x80 ? `hd${number.value - 0x80}` : '';
  } else if (drive !== '') return undefined;

  const found = guest.disks.find((d) => d.name === disk);
  if (rest === '') return named(found?.whole);
  if (!rest.startsWith(',')) return undefined;
  rest = rest.slice(1);
  // `(hd0,)`: the partition of `root`.
  if (rest === '') return named(found && root.disk === disk ? root : found?.whole);
  const number = leadingNumber(rest);
  if (number && number.value > MAX_PARTITION) return undefined;
  const slice = number ? number.rest.replace(/^,/, '') : rest;
  if (!/^[a-h]?$/.test(slice) || (!number && slice === '')) return undefined;
  // A letter counts the rows of a BSD or Solaris label.
  const row = slice === '' ? undefined : slice.charCodeAt(0) - 96;
  const names = [number && number.value + 1, row].filter((n) => n !== undefined).join();
  return named(found && guest.device(`${found.name},${names}`));
}
