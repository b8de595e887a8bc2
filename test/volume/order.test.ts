/** In which order the rows of a table are tried. */
import t from 'tap';
import { orderForBoot } from '../../lib/volume';

const BIOS_BOOT = '21686148-6449-6e6f-744e-656564454649'; // Wikipedia, "GUID Partition Table"; `sgdisk -t 1:ef02`
const LINUX = '0fc63daf-8483-4772-8e79-3d69d8477de4';
const ordered = (scheme: string, rows: [name: string, type: string, active: boolean][]) =>
  orderForBoot(scheme, rows, ([, type, active]) => ({ type, active })).map(([name]) => name);

t.test('the BIOS boot partition, which no driver knows, comes last', async (t) => {
  t.same(
    ordered('gpt', [
      ['1', BIOS_BOOT, false],
      ['2', LINUX, false],
      ['3', LINUX, true],
    ]),
    ['2', '3', '1'],
  );
});

t.test('an MBR is tried as a BIOS does', async (t) => {
  t.same(
    ordered('msdos', [
      ['1', '83', false],
      ['2', '82', true],
      ['3', '83', false],
    ]),
    ['2', '1', '3'],
  );
});
