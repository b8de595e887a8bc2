/** GRUB's command line over a guest, without a terminal: a line is run, and what it printed comes back. */
import type { ByteString } from '../../bytes/text';
import type { BootContext, BootMenu, BootTarget, Colours, ConfigFile } from '../model';
import type { Machine } from './commands/types';
import type { Interpreter } from './evaluate';

export interface ShellResult {
  /** What this line printed. */
  readonly output: ByteString;
  /**
   * `more`: the statement is not complete, GRUB asks for its next line with `> `. `boot`: `target` is to be booted.
   * `menu`: `menu` is shown. `leave`: back to the menu. `end`: `reason` is `halt`, `reboot` or `exit`.
   */
  readonly how: 'done' | 'more' | 'boot' | 'menu' | 'leave' | 'clear' | 'end';
  readonly target?: BootTarget;
  readonly menu?: BootMenu;
  readonly reason?: string;
}

export interface Completion {
  /** Index in the line from which `insert` takes the place of what stands up to the cursor. */
  readonly start: number;
  readonly insert: ByteString;
  /** When there are several: sorted, at most a few hundred. */
  readonly candidates: readonly ByteString[];
}

export class Shell {
  run(_line: ByteString): ShellResult {
    return { output: '', how: 'done' };
  }

  complete(_line: ByteString, cursor: number): Completion {
    return { start: cursor, insert: '', candidates: [] };
  }

  /** Drops an incomplete statement. */
  reset(): void {}
}

/** Goes on from the state of a menu that GRUB's script made. */
export function shellOf(_origin: Interpreter): Shell {
  return new Shell();
}

/** For a menu of any other format: a fresh environment, `root` is where the configuration was. */
export function shellFor(_config: ConfigFile, _ctx: BootContext): Shell {
  return new Shell();
}

const COLOURS = {
  normal: 'color_normal',
  highlight: 'color_highlight',
  menuNormal: 'menu_color_normal',
  menuHighlight: 'menu_color_highlight',
} as const;

/** The colours that a configuration set; GRUB's own are left out. */
export function coloursOf(machine: Machine): Colours {
  const colours: Record<string, ByteString> = {};
  for (const [key, name] of Object.entries(COLOURS)) {
    const value = machine.get(name);
    if (value && value !== 'light-gray/black' && value !== 'black/light-gray') colours[key] = value;
  }
  return colours;
}
