/** docs/toolstacks.md: what came of every scenario, side by side. */
import { LOADERS, type Loader, type Outcome, type Scenario } from './scenarios';

const seconds = (ms: number): string => `${Math.round(ms / 1000)} s`;

/** One cell: what an admin would see. */
export function inWords(o: Outcome | undefined): string {
  if (!o) return 'no result';
  const left = o.left ? `; left behind: ${leftBehind(o.left)}` : '';
  switch (o.state) {
    case 'up':
      return `boots, \`${o.args}\`, ${seconds(o.readyMs)}`;
    case 'failed':
      return `status ${o.status} after ${seconds(o.readyMs)}${reason(o)}${left}`;
    case 'ended':
      return `status ${o.status}, the domain ends${left}`;
    case 'hung': {
      const [one = 0, two = 0] = o.cpu;
      const busy = two - one >= 2 ? ', spinning' : '';
      return o.status === 0
        ? `status 0, then nothing: the domain stays${busy}`
        : `nothing for ${seconds(o.ms)}${busy}${left}`;
    }
    default:
      return 'unclear';
  }
}

function leftBehind(left: string): string {
  const kinds = left.split('\n').map((line) => line.split(' ', 1)[0]!);
  return [...new Set(kinds)]
    .map((kind) => {
      const n = kinds.filter((k) => k === kind).length;
      return n === 1 ? `a ${kind}` : `${n} ${kind}${kind.endsWith('s') ? 'es' : 's'}`;
    })
    .join(', ');
}

/** The bootloader's last words, or xl's first error. */
function reason(o: Outcome): string {
  const lines = o.log.split('\n').map((line) => line.replace(/\x1b\[[0-9;?]*[A-Za-z]/g, '').trim());
  const last =
    [...lines].reverse().find((line) => /^\w*Error\b|^\w+(\.\w+)*Error: /.test(line)) ??
    o.xl.split('\n').find((line) => /^libxl: error/.test(line));
  return last ? `: \`${last.replaceAll('|', '\\|').replaceAll('`', "'").slice(0, 160)}\`` : '';
}

export interface Facts {
  readonly date: string;
  readonly nodegrub: string;
  /** Lines `package version`. */
  readonly versions: string;
}

export function report(
  facts: Facts,
  rows: readonly {
    readonly scenario: Scenario;
    readonly outcomes: ReadonlyMap<Loader, Outcome | undefined>;
  }[],
): string {
  const cell = (scenario: Scenario, loader: Loader, o: Outcome | undefined): string =>
    scenario.loaders && !scenario.loaders.includes(loader) ? '–' : inWords(o);
  return `# Under a real Xen
Made by \`npm run test:xen -- --report docs/toolstacks.md\` on ${facts.date} ([test/xen](../test/xen/README.md)): Xen and Debian 12's dom0 in QEMU's
software emulation, each guest a Debian kernel with a minimal initrd. The column nodegrub is asserted, of the others only that
PVGrub hangs where the disk is bad. **The seconds are those of an emulated machine with one processor**, some twenty
to fifty times as slow as a real one: they compare the columns, and say that something ends. They count from \`xl create\` to the guest's userland, or to
xl's exit, the menu's time-out of 3 s among them. An xl that is killed leaves its domain, a folder and a file of libxl's, whatever its bootloader does;
what is asserted is that nothing else is left.

${facts.nodegrub}, ${facts.versions.trim().split('\n').join(', ')}. PVGrub is Debian's \`grub-xen-host\`, as \`kernel=\`.

| | ${LOADERS.map((l) => (l === 'pvgrub' ? 'PVGrub 2' : l)).join(' | ')} |
|---|---|---|---|
${rows.map((r) => `| ${r.scenario.what} (${r.scenario.type.toUpperCase()}) | ${LOADERS.map((l) => cell(r.scenario, l, r.outcomes.get(l))).join(' | ')} |`).join('\n')}
`;
}
