/** Whose entries these are: machines by UEFI's names. */
import type { ByteString } from '../../bytes/text';

const NODE_NAMES: Record<string, string> = {
  x64: 'x64',
  ia32: 'ia32',
  arm64: 'aa64',
  arm: 'arm',
  riscv64: 'riscv64',
  loong64: 'loongarch64',
};

/** The machine that guests run on: this one's. */
export const hostMachine = (): string => NODE_NAMES[process.arch] ?? process.arch;

/** `native`: systemd-boot shows it; `compatible`: it would not, but the machine runs it; otherwise `foreign`. */
export function fits(machine: ByteString): 'native' | 'compatible' | 'foreign' {
  const host = hostMachine();
  const wanted = machine.toLowerCase();
  if (wanted === host) return 'native';
  return (host === 'x64' && wanted === 'ia32') || (host === 'aa64' && wanted === 'arm')
    ? 'compatible'
    : 'foreign';
}
