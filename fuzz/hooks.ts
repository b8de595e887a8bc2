/** The hooks that transforms.mjs puts into the harness's copy of the sources. */
export interface Hooks {
  /** Comparisons of checksums say "right". */
  sums: boolean;
  /** A declared field is read from `bytes`. */
  field: ((bytes: Buffer, at: number, size: number) => void) | undefined;
  /** A declared structure is read from `bytes`. */
  struct: ((name: string, bytes: Buffer, at: number, size: number) => void) | undefined;
  /** The run's budget is spent from. */
  step: ((count: number) => void) | undefined;
  /** A decompressor has filled `into`. */
  unpacked: ((into: Uint8Array) => void) | undefined;
}

declare const __fz: Hooks;
export const hooks: Hooks = __fz;
