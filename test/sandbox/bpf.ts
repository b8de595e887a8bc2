/** Classic BPF as Documentation/networking/filter.rst defines it, the few instructions that seccomp programs have. */
export function verdict(program: Buffer, arch: number, nr: number, args: readonly bigint[]): number {
  const data = Buffer.alloc(64);
  data.writeUInt32LE(nr, 0);
  data.writeUInt32LE(arch, 4);
  args.forEach((value, i) => {
    data.writeBigUInt64LE(value, 16 + 8 * i);
  });
  let a = 0;
  for (let pc = 0; ; pc++) {
    const [code, jt, jf, k] = [
      program.readUInt16LE(pc * 8),
      program[pc * 8 + 2]!,
      program[pc * 8 + 3]!,
      program.readUInt32LE(pc * 8 + 4),
    ];
    if (code === 0x06) return k;
    if (code === 0x20) a = data.readUInt32LE(k);
    else {
      const yes =
        code === 0x15 ? a === k : code === 0x35 ? a >= k : code === 0x45 ? (a & k) !== 0 : undefined;
      if (yes === undefined) throw new Error(`instruction ${code}`);
      pc += yes ? jt : jf;
    }
  }
}
