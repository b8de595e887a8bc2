/** `password [--md5|--encrypted] PASSWORD [FILE]` */
import type { ByteString } from '../../bytes/text';
import type { Password } from '../model';
import { afterWord, firstWord } from './lines';

export function parsePassword(argument: ByteString): { password: Password; file: ByteString } {
  let rest = argument;
  let option = '';
  // GRUB compares `--md5`, Red Hat's `--enc…` too, as prefixes, once each.
  if (rest.startsWith('--')) {
    option = /^--(?:md5|enc)?/.exec(rest)![0];
    rest = afterWord(rest);
  }
  const value = firstWord(rest);
  const file = firstWord(afterWord(rest));
  if (option === '--md5') return { password: { scheme: 'crypt', value }, file };
  // Red Hat's `--encrypted`: crypt's three, and anything else is compared as it is.
  if (option === '--enc')
    return { password: { scheme: /^\$[156]\$/.test(value) ? 'crypt' : 'plain', value }, file };
  // An option that GRUB does not know makes a password that nothing matches.
  if (option !== '') return { password: { scheme: 'crypt', value: '*' }, file };
  return { password: { scheme: 'plain', value }, file };
}
