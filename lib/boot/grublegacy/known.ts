/** The commands of GRUB 0.97 and of the distributions' versions of it, and where each may stand. */
import type { ByteString } from '../../bytes/text';

const words = (list: string): ReadonlySet<ByteString> => new Set(list.trim().split(/\s+/));

/** Commands that may stand before the first title only; inside an entry they are an error. */
export const MENU_ONLY = words('default fallback hiddenmenu timeout');

/** Commands that may stand in both places; those that matter to what is booted are handled where they are met. */
export const MENU_AND_ENTRY = words(`
  background bootp border color device dhcp efimap foreground gfxmenu hide ifconfig min_mem64 pager partnew parttype
  password print rarp serial setkey shade silent splashimage terminal terminfo tftpserver unhide verbose viewport
`);

/** Commands of an entry that have no effect on what is booted here: they show, probe, or write to a disk. */
const WITHOUT_EFFECT = words(`
  clear cmp debug displayapm displaymem dump embed fstest geometry help impsprobe install ioprobe makeactive md5crypt
  portmap quiet read setup testload testvbe uppermem vbeprobe version
`);

/** Commands of an entry that `execute` of entry.ts knows. */
const WITH_EFFECT = words(`
  blocklist boot bootfs cat chainloader configfile find findiso findroot halt initrd kernel kernel$ lock map module
  module$ modulenounzip pause reboot root rootnoverify savedefault uuid
`);

/** True where GRUB runs it inside an entry. */
export const inEntry = (name: ByteString): boolean =>
  MENU_AND_ENTRY.has(name) || WITHOUT_EFFECT.has(name) || WITH_EFFECT.has(name);

/** GRUB skips lines with any other command when it reads a configuration, inside entries too. */
export const isKnown = (name: ByteString): boolean => MENU_ONLY.has(name) || inEntry(name);
