/**
 * Defects that are put into the harness's copy of the sources, to prove that it would find such a one: `--prove`.
 * @type {{ name: string, what: string, targets: string[], kinds: string[], changes: import('./transforms.mjs').Change[] }[]}
 */
export const DEFECTS = [
  {
    name: 'loop',
    what: 'an unbounded loop (iso9660: a System Use entry of 0 bytes)',
    targets: ['iso9660'],
    kinds: ['hang', 'died'],
    changes: [
      {
        file: 'fsdrivers/iso9660/susp.ts',
        from: 'disk.ctx.budget.step();\n      const length',
        to: 'const length',
      },
      {
        file: 'fsdrivers/iso9660/susp.ts',
        from: 'if (length < ENTRY_HEAD || at + length',
        to: 'if (length === 0) continue;\n      if (length < ENTRY_HEAD || at + length',
      },
    ],
  },
  {
    name: 'length',
    what: 'an unchecked length (ext: more extents than their block has room for)',
    targets: ['ext'],
    kinds: ['crash'],
    changes: [
      {
        file: 'fsdrivers/ext/extents.ts',
        from: 'if (h.eh_max > room || h.eh_entries > h.eh_max)',
        to: 'if (room < 0)',
      },
    ],
  },
  {
    name: 'range',
    what: 'a missing range check (udf: a partition that no map names)',
    targets: ['udf'],
    kinds: ['crash'],
    changes: [
      {
        file: 'fsdrivers/udf/volume.ts',
        from: 'if (!map) throw corrupt',
        to: 'if (!this) throw corrupt',
      },
    ],
  },
];
