/**
 * `cryptomount`: opens encrypted volumes. Options and messages: GRUB manual, "cryptomount", and grub-emu.
 *
 * Here they are open before a configuration is evaluated, or not at all: keys need seconds and a person, and an evaluation is
 * synchronous. What is missed is written down, opened (lib/unlock.ts), and everything is evaluated again.
 */
import type { ByteString } from '../../../bytes/text';
import { readWhole } from '../../../fs/file';
import { FileBackedSource } from '../../../fs/file-source';
import type { Disk } from '../../guest';
import type { CryptRequest } from '../../model';
import { loopbackDepth } from './devices';
import { openDevice, openFile, reading } from './open';
import { has, leadingNumber, type OptionSpec, optionValue, parseOptions } from './options';
import { GRUB_ERROR, type Machine } from './types';

/** Different ones that a configuration may miss. */
const MOST = 64;
/** GRUB's own bound of a key file (GRUB_CRYPTODISK_MAX_KEYFILE_SIZE). */
const KEY_BYTES = 8192;

const SPECS: OptionSpec[] = [
  { long: 'uuid', short: 'u' },
  { long: 'all', short: 'a' },
  { long: 'boot', short: 'b' },
  { long: 'password', short: 'p', value: 'required' },
  { long: 'key-file', short: 'k', value: 'required' },
  { long: 'keyfile-offset', short: 'O', value: 'required', integer: true },
  { long: 'keyfile-size', short: 'S', value: 'required', integer: true },
  { long: 'header', short: 'H', value: 'required' },
];

export function cryptomount(machine: Machine, args: ByteString[], command: ByteString): number {
  const parsed = parseOptions(machine, command, args, SPECS);
  if (typeof parsed === 'number') return parsed;
  const [name] = parsed.operands;
  const all = has(parsed, 'all');
  // "Those with a boot flag", which LUKS does not have.
  if (!has(parsed, 'uuid') && !all && has(parsed, 'boot')) return 0;
  if (name === undefined && !all) return machine.error('device name required', GRUB_ERROR.badArgument);

  let request: CryptRequest = {};
  let open = false;
  const is = (which: (disk: Disk) => boolean) => machine.guest.disks.some(which);
  if (has(parsed, 'uuid')) {
    const uuid = (name ?? '').replaceAll('-', '').toLowerCase().slice(0, 64);
    open = is((disk) => disk.alias?.toLowerCase() === `cryptouuid/${uuid}`);
    request = { uuid };
  } else if (!all) {
    const volume = openDevice(machine, name!);
    if (typeof volume === 'number') return volume;
    open = is((disk) => disk.of?.source === volume.source);
    request = { volume };
  }
  if (open) return 0;

  const password = optionValue(parsed, 'password');
  if (password !== undefined) request = { ...request, secret: Buffer.from(password, 'latin1') };
  const keyFile = optionValue(parsed, 'key-file');
  if (keyFile !== undefined) {
    const secret = keyOf(
      machine,
      keyFile,
      optionValue(parsed, 'keyfile-offset'),
      optionValue(parsed, 'keyfile-size'),
    );
    if (typeof secret === 'number') return secret;
    request = { ...request, secret };
  }
  const header = optionValue(parsed, 'header');
  if (header !== undefined) {
    const file = openFile(machine, header);
    if (typeof file === 'number') return file;
    const depth = file.file.volume ? loopbackDepth(file.file.volume.source) + 1 : 1;
    const code = reading(machine, () => {
      request = { ...request, header: new FileBackedSource(file.fs, file.node, 'header', depth, machine) };
      return 0;
    });
    if (code !== 0) return code;
  }
  const { crypt } = machine.context;
  if (crypt) {
    crypt.wanted ??= [];
    if (crypt.wanted.length < MOST) crypt.wanted.push(request);
  }
  return all ? 0 : machine.error('no such cryptodisk found', GRUB_ERROR.badArgument);
}

/** The key in a file of the guest's, or `$?` after the error was printed. */
function keyOf(
  machine: Machine,
  name: ByteString,
  offset: ByteString | undefined,
  size: ByteString | undefined,
): Buffer | number {
  const file = openFile(machine, name);
  if (typeof file === 'number') return file;
  const from = leadingNumber(offset ?? '0') ?? 0;
  const length = size === undefined ? KEY_BYTES : (leadingNumber(size) ?? 0);
  if (length > KEY_BYTES)
    return machine.error(`key file size exceeds maximum (${KEY_BYTES})`, GRUB_ERROR.outOfRange);
  let bytes: Buffer | undefined;
  const code = reading(machine, () => {
    bytes = Buffer.from(readWhole(file.fs, file.node, 'smallFileBytes', machine));
    return 0;
  });
  if (!bytes) return code;
  if (from > bytes.length)
    return machine.error(
      `seek to offset ${from} failed: attempt to seek outside of the file`,
      GRUB_ERROR.outOfRange,
    );
  return bytes.subarray(from, from + length);
}
