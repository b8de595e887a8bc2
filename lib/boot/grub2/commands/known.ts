/**
 * Commands of nearly every configuration that have nothing to do here: they set up terminals, fonts and screens. The
 * rest of them is in harmless.ts, a part of the chunk.
 */
import type { ByteString } from '../../../bytes/text';
import { type CommandTable, GRUB_ERROR, type Machine } from './types';

const done = (): number => 0;

/** Waits in GRUB, never here: nobody watches, and a person at the menu has the menu's own time limit. */
function sleep(machine: Machine, args: ByteString[]): number {
  return args.some((arg) => !arg.startsWith('-'))
    ? 0
    : machine.error('one argument expected', GRUB_ERROR.badArgument);
}

/** A way into the firmware's setup: there is none, and an entry that wants it boots no kernel. */
function fwsetup(machine: Machine, args: ByteString[]): number {
  if (!args.includes('--is-supported'))
    machine.loader.foreign = 'enters the firmware setup, which a guest does not have';
  return GRUB_ERROR.testFailure;
}

/** First in the merged table: a real handler of the same name replaces one of these. */
export const known: CommandTable = {
  ...Object.fromEntries(
    'insmod terminal terminal_input terminal_output serial clear loadfont background_color play'
      .split(' ')
      .map((name) => [name, done]),
  ),
  sleep,
  fwsetup,
  // PVGrub has no video: GRUB's error, without its words, which would stand on the console of every Debian guest.
  background_image: () => GRUB_ERROR.badDevice,
};
