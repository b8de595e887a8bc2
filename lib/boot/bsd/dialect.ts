/** FreeBSD, NetBSD and OpenBSD: their kernels, with the reason why Xen can start one or not. */
import { GuestError } from '../../bytes/errors';
import { printable } from '../../bytes/text';
import { readXenNotes } from '../../kernel/elf';
import { HEAD_BYTES, kernelKind, readRange } from '../../kernel/head';
import { payload } from '../guest';
import type { BootContext, BootMenu, ConfigFile, GuestFile, MenuEntry } from '../model';
import { type Plain, plainEntry } from '../plain';
import { freebsd } from './freebsd';
import type { Menu } from './menu';
import { netbsd } from './netbsd';

/** `config` is the kernel that made this a guest of its kind. */
export function evaluate(config: ConfigFile, ctx: BootContext): BootMenu {
  const { volume } = config;
  const budget = ctx.budget.child('evaluation', 'the configuration');
  const inside: BootContext = { ...ctx, budget };
  const name = config.path.slice(config.path.lastIndexOf('/') + 1);
  const menu: Menu =
    name === 'kernel'
      ? freebsd(config, inside)
      : name === 'netbsd'
        ? netbsd(config, inside)
        : openbsd(config);
  const entries = menu.candidates.map((candidate): MenuEntry => {
    const { mergeArgs } = menu;
    const plain: Plain = {
      ...candidate,
      id: candidate.kernel,
      ramdisks: [],
      root: volume.name,
      ...(mergeArgs ? { mergeArgs } : {}),
      load: (path) => ctx.guest.file(path, volume),
    };
    return {
      ...plainEntry(plain),
      resolve: (edited) => {
        const target = plainEntry(plain).resolve(edited);
        if (!target.kernel?.found || target.problem !== null) return target;
        const { problem, note } = start(target.kernel, ctx);
        return { ...target, problem: problem ?? null, notes: [...target.notes, ...(note ? [note] : [])] };
      },
    };
  });
  return {
    entries,
    default: [menu.default],
    fallback: [],
    timeout: menu.timeout,
    timeoutStyle: 'menu',
    console: '',
    warnings: menu.warnings,
  };
}

/** OpenBSD's boot(8) loads /bsd; its boot.conf holds commands for that program. */
const openbsd = (config: ConfigFile): Menu => ({
  candidates: [{ title: 'OpenBSD', kernel: config.path, args: '', notes: [] }],
  default: 0,
  timeout: 5,
  warnings: [],
});

/** Can Xen start this kernel, and how? Looks into it when the entry is chosen or listed. */
function start(file: GuestFile, ctx: BootContext): { problem?: string; note?: string } {
  const found = payload(file, true).found;
  const shown = printable(file.path);
  if (!found) return { problem: `${shown}: not found` };
  const inside = { ...ctx, budget: ctx.budget.child('entry', shown) };
  try {
    const kind = kernelKind(readRange(found.fs, found.node, 0, HEAD_BYTES, inside));
    if (kind === 'compressed')
      return { problem: `${shown}: is compressed, so its notes for Xen cannot be looked at here` };
    if (kind !== 'ELF') return { problem: `${shown}: is no ELF kernel` };
    const { pv, pvh, machine } = readXenNotes(found.fs, found.node, inside);
    if (pvh)
      return {
        note: `this kernel starts as PVH (type="pvh")${pv ? ', and as PV' : ', not as PV'} (${machine})`,
      };
    if (pv) return { note: `this kernel starts as PV, not as PVH (${machine})` };
    return { problem: `${shown}: has no note for Xen (PHYS32_ENTRY or a PV start): boots as HVM only` };
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    return { problem: `${shown}: ${error.describe()}` };
  }
}
