/**
 * Commands that have nothing to do here and that few configurations use, known so that configurations which use them go on. Names: GRUB manual,
 * "Command-line commands" and "Undocumented commands", the command lists of Debian's GRUB builds (x86_64-xen, i386-pc)
 * and Red Hat's patches.
 *
 * Commands that only set something up (terminals, fonts, sounds, hardware) succeed. Commands that ask the hardware
 * or a person for something find nothing: `$?` is what GRUB answers on a machine that has no such thing, in silence.
 */
import type { ByteString } from '../../../bytes/text';
import { cryptomount } from './cryptomount';
import { type CommandHandler, type CommandTable, GRUB_ERROR } from './types';

const done: CommandHandler = () => 0;
const no: CommandHandler = () => GRUB_ERROR.testFailure;

const words = (list: string): string[] => list.split(' ');

/** Sets something up that a guest's boot does not depend on. */
const SETTING_UP = words(
  // Modules.
  'rmmod lsmod nativedisk ' +
    // Terminals, screen, fonts, pictures, sounds.
    'terminfo keymap efitextmode lsfonts videoinfo videotest vbeinfo vbetest pngtest jpegtest tgatest fix_video 915resolution ' +
    // Hardware and firmware.
    'acpi badram cutmem drivemap sendkey hdparm setpci loadbios fakebios outb outw outl wrmsr write_byte ' +
    'write_word write_dword cmosclean cmosset efiemu_loadcore efiemu_prepare efiemu_unload efi-watchdog ' +
    'devicetree tpm_record_pcrs usb ' +
    // Things shown to a person.
    'help lsacpi lsapm lscoreboot lsdev lsefi lsefimmap lsefisystab lsmmap lspci lssal lsspd pcidump cmosdump ' +
    'cbmemc coreboot_boottime boottime cacheinfo backtrace dump hexdump hexdump_random blocklist xen_ls xen_cat ' +
    'list_trusted list_certificates net_ls_addr net_ls_cards net_ls_dns net_ls_routes ' +
    // Would write to the disk, which is not done.
    'parttool gptsync mactelbless macppcbless ' +
    // Signatures: nothing is verified here, as in PVGrub without `check_signatures`.
    'trust distrust trust_certificate distrust_certificate verify_detached verify_appended ' +
    // Parts of other systems' kernels, after a loader that has said that it boots none.
    'kfreebsd_loadenv kfreebsd_module kfreebsd_module_elf knetbsd_module knetbsd_module_elf kopenbsd_ramdisk ' +
    'xnu_devprop_load xnu_kext xnu_kextdir xnu_mkext xnu_ramdisk xnu_splash ' +
    // Debugging and tests of GRUB itself.
    'gdbinfo gdbstub gdbstub_break gdbstub_stop functional_test all_functional_test testload testspeed ' +
    'test_blockarg suspend ' +
    // A processor of 64 bits with PAE: PVH and PV guests have both.
    'cpuid',
);

/** Asks for something that is not there. */
const ASKING = words(
  'keystatus cmostest hwmatch inb inw inl rdmsr read_byte read_word read_dword getenv get_efivar efivar ' +
    'xnu_uuid fpswa cryptocheck file',
);

/** Fails with GRUB's words. */
const failing =
  (message: ByteString, code: number): CommandHandler =>
  (machine) =>
    machine.error(message, code);

const noNetwork = failing('no network card found', GRUB_ERROR.noNetworkCard);

/** By name; a function of the guest's with such a name is called in its place. */
export const harmless: CommandTable = {
  ...Object.fromEntries(SETTING_UP.map((name) => [name, done])),
  ...Object.fromEntries(ASKING.map((name) => [name, no])),
  cryptomount,
  plainmount: failing('disk not found', GRUB_ERROR.badArgument),
  smbios: failing('the SMBIOS entry point structure was not found', GRUB_ERROR.io),
  'zfs-bootfs': failing('unknown filesystem', GRUB_ERROR.unknownFilesystem),
  zfsinfo: failing('unknown filesystem', GRUB_ERROR.unknownFilesystem),
  zfskey: done,
  ...Object.fromEntries(
    words(
      'net_add_addr net_add_dns net_add_route net_bootp net_bootp6 net_del_addr net_del_dns net_del_route ' +
        'net_dhcp net_get_dhcp_option net_ipv6_autoconf net_nslookup net_set_vlan',
    ).map((name) => [name, noNetwork]),
  ),
};
