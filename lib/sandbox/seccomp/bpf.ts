/**
 * An assembler for classic BPF, as seccomp(2) runs it over `struct seccomp_data` (linux/filter.h, linux/seccomp.h). A program
 * only jumps forward, at most 255 instructions for either outcome of a test.
 */

/** BPF_LD|BPF_W|BPF_ABS, BPF_JMP|BPF_JEQ|BPF_K, …|BPF_JGE, …|BPF_JSET, BPF_RET|BPF_K (linux/bpf_common.h). */
export const LOAD = 0x20;
export const JEQ = 0x15;
export const JGE = 0x35;
export const JSET = 0x45;
export const RET = 0x06;

/** Offsets in `struct seccomp_data`: nr, arch, instruction_pointer, six 64-bit arguments. */
export const NR = 0;
export const ARCH = 4;
/** The halves of an argument on a little-endian machine. */
export const low = (argument: number): number => 16 + 8 * argument;
export const high = (argument: number): number => low(argument) + 4;

export interface Instruction {
  readonly code: number;
  readonly k: number;
  /** Labels; undefined: the next instruction. */
  readonly yes?: string | undefined;
  readonly no?: string | undefined;
}

/** A label stands for the instruction behind it. */
export type Line = Instruction | string;

/**
 * @returns `struct sock_filter[]`, little-endian: u16 code, u8 jt, u8 jf, u32 k
 * @throws Error for a label that does not exist, or is too far or behind
 */
export function assemble(lines: readonly Line[]): Buffer {
  const labels = new Map<string, number>();
  const program: Instruction[] = [];
  for (const line of lines) {
    if (typeof line === 'string') labels.set(line, program.length);
    else program.push(line);
  }
  const bytes = Buffer.alloc(program.length * 8);
  for (const [at, { code, k, yes, no }] of program.entries()) {
    const distance = (label: string | undefined): number => {
      if (label === undefined) return 0;
      const steps = (labels.get(label) ?? Number.NaN) - at - 1;
      if (!(steps >= 0 && steps <= 255 && at + 1 + steps < program.length))
        throw new Error(`instruction ${at}: no way to '${label}' (${steps} instructions)`);
      return steps;
    };
    bytes.writeUInt16LE(code, at * 8);
    bytes.writeUInt8(distance(yes), at * 8 + 2);
    bytes.writeUInt8(distance(no), at * 8 + 3);
    bytes.writeUInt32LE(k >>> 0, at * 8 + 4);
  }
  return bytes;
}
