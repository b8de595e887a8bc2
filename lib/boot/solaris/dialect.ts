/** A Solaris PV guest: its kernel and boot archive lie at fixed places, and nothing configures them. */
import type { ByteString } from '../../bytes/text';
import type { BootContext, BootMenu, ConfigFile } from '../model';
import { plainEntry, plainMenu } from '../plain';
import { wordsOf } from '../words';

/** `config` is the kernel itself: one of index.ts' two paths. */
export function evaluate(config: ConfigFile, ctx: BootContext): BootMenu {
  const { volume, path } = config;
  const is64 = path.includes('/amd64/');
  const entry = plainEntry({
    title: is64 ? 'Solaris (64 bit)' : 'Solaris (32 bit)',
    id: path,
    kernel: path,
    ramdisks: [`/platform/i86pc/${is64 ? 'amd64/' : ''}boot_archive`],
    args: path,
    root: volume.name,
    mergeArgs,
    load: (name) => ctx.guest.file(name, volume),
  });
  return plainMenu([entry], { timeout: 0, timeoutStyle: 'hidden' });
}

/**
 * Xen's properties, then the kernel's path, then what the person wants of the kernel: `root=/dev/dsk/c0d0s0 -k` becomes
 * `root=/dev/dsk/c0d0s0 /platform/…/unix -k`. A path that stands there already is not doubled (pygrub, sniff_solaris).
 * @param args the kernel's path, or what a person made of it
 */
export function mergeArgs(args: ByteString, added: ByteString): ByteString {
  const own = wordsOf(args);
  const words = wordsOf(added);
  const ofXen = (word: ByteString) => /^(?:root|ip)=/.test(word);
  return [
    ...words.filter(ofXen),
    ...own,
    ...words.filter((word) => !ofXen(word) && word !== own.find((w) => !ofXen(w))),
  ].join(' ');
}
