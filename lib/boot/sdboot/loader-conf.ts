/** `/loader/loader.conf`. Source: loader.conf(5) of systemd 252 to 260. */
import type { Context } from '../../bytes/budget';
import { type ByteString, printable } from '../../bytes/text';
import { lower } from '../bls/item';
import { keyValues } from '../bls/lines';
import type { BootMenu } from '../model';

export interface LoaderConf {
  /** Pattern that passes over entries without tries left, from systemd 260 on; looked at first. */
  readonly preferred: ByteString | undefined;
  readonly default: ByteString | undefined;
  readonly timeout: number;
  readonly timeoutStyle: BootMenu['timeoutStyle'];
  readonly editor: boolean;
}

const BOOLEANS = new Map([
  ...['1', 'yes', 'y', 'true', 't', 'on'].map((word) => [word, true] as const),
  ...['0', 'no', 'n', 'false', 'f', 'off'].map((word) => [word, false] as const),
]);
const UINT32_MAX = 0xffffffff;

/** @param warn told of values that mean nothing here; the line is then passed over */
export function parseLoaderConf(text: ByteString, ctx: Context, warn: (message: string) => void): LoaderConf {
  const patterns: { default?: ByteString; preferred?: ByteString } = {};
  let timeout = 0;
  let editor = true;
  for (const [key, value] of keyValues(text, ' \t', ctx)) {
    switch (key) {
      case 'default':
      case 'preferred':
        if (value.startsWith('@') && lower(value) !== '@saved')
          warn(`${key} ${printable(value)}: no such special entry, the line is ignored`);
        else patterns[key] = value;
        break;
      case 'timeout': {
        const seconds = /^\d{1,19}$/.test(value) ? Number(value) : undefined;
        if (value === 'menu-force' || seconds === UINT32_MAX) timeout = -1;
        else if (value === 'menu-hidden' || value === 'menu-disabled') timeout = 0;
        else if (seconds !== undefined && seconds < UINT32_MAX) timeout = seconds;
        else warn(`timeout ${printable(value)}: not a number of seconds, the line is ignored`);
        break;
      }
      case 'editor': {
        const given = BOOLEANS.get(value);
        if (given === undefined) warn(`editor ${printable(value)}: neither yes nor no, the line is ignored`);
        else editor = given;
      }
      // The other keys concern the screen, the firmware, and entries for other systems.
    }
  }
  return {
    preferred: patterns.preferred,
    default: patterns.default,
    timeout,
    timeoutStyle: timeout === 0 ? 'hidden' : 'menu',
    editor,
  };
}
