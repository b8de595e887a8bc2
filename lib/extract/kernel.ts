/** What is done with a kernel besides copying it: `--check-kernel`, `--decompress`, what `-n` says of it. A chunk. */
import type { BootTarget } from '../boot/model';
import type { Context } from '../bytes/budget';
import { GuestError, notFound, unsupported, within } from '../bytes/errors';
import { printable } from '../bytes/text';
import { advice, certain, refusal, type Start } from '../kernel/advice';
import { guestKernel, kernelOnHost } from '../kernel/file';
import { inspectKernel } from '../kernel/inspect';
import { vmlinux } from '../kernel/vmlinux';
import { ChunkWriter, type Output } from './copy';

/** What the command line wants to be done with the kernel. */
export interface KernelTasks {
  /** It is handed over unpacked. */
  readonly decompress?: boolean;
  /** It is looked into, and refused when Xen cannot start it so. */
  readonly check?: Start;
}

/** Bytes that are written between two looks at the time. */
const STEP = 4 * 1024 * 1024;

interface Copied {
  readonly fd: number;
  readonly path: string;
}

/**
 * The guest's file, where nothing is copied (`-n`). Without a check only its headers are looked at: no more than some kilobytes are
 * read, and nothing is unpacked.
 * @throws GuestError `unsupported` when the check refuses it, and what reading it throws
 */
export function judgeOnDisk(
  { kernel }: BootTarget,
  tasks: KernelTasks,
  ctx: Context,
  say: (line: string) => void,
): void {
  if (!kernel?.found) throw notFound(kernel?.problem ?? 'no kernel is named');
  const { fs, node } = kernel.found;
  within(printable(kernel.path), () => {
    let file: ReturnType<typeof guestKernel>;
    try {
      file = guestKernel(fs, node, 'kernel', ctx);
      judge(file, tasks, ctx, say);
    } catch (error) {
      // What a boot would not have looked at does not end a dry run.
      if (tasks.check || !(error instanceof GuestError)) throw error;
      say(`warning: ${printable(kernel.path)}: ${error.describe()}`);
    }
  });
}

/** The kernel as it was copied, which a policy has judged. @throws GuestError as `judgeOnDisk`, and where it cannot be unpacked */
export async function finishKernel(
  copied: Copied,
  tasks: KernelTasks,
  ctx: Context,
  say: (line: string) => void,
  writer: (file: Copied) => Output = ({ fd, path }) => new ChunkWriter(fd, path),
): Promise<void> {
  if (tasks.check) judge(kernelOnHost(copied.fd, 'kernel'), tasks, ctx, say);
  if (tasks.decompress) await decompress(copied, ctx, say, writer);
}

function judge(
  file: ReturnType<typeof guestKernel>,
  { check, decompress }: KernelTasks,
  ctx: Context,
  say: (line: string) => void,
): void {
  const kernel = inspectKernel(file, ctx, check ? 'all' : 'headers');
  const refused = check && !(decompress && kernel.format === 'zboot') ? refusal(kernel, check) : undefined;
  for (const line of check ? advice(kernel) : certain(kernel)) {
    // What is done about already, and what is about to be said as the error.
    if (line.includes('--decompress') && decompress) continue;
    if (line !== refused) say(`warning: ${line}`);
  }
  if (refused) throw unsupported(`${refused} (--check-kernel=${check})`);
}

/**
 * In place: all that is packed is read before the first byte is written (lib/kernel/unpacked.ts), or lies behind what is written
 * (a kernel in a unified image that is not packed).
 */
async function decompress(
  file: Copied,
  ctx: Context,
  say: (line: string) => void,
  writer: (file: Copied) => Output,
): Promise<void> {
  const { from, kind, pieces } = within('--decompress', () => vmlinux(kernelOnHost(file.fd, 'kernel'), ctx));
  if (from.length === 0) {
    say(`note: --decompress: the kernel is not packed (${kind}), it is handed over as it is`);
    return;
  }
  const out = writer(file);
  ctx.budget.progress(true);
  for (const piece of pieces()) {
    for (let at = 0; at < piece.length; at += STEP) {
      await out.bytes(piece.subarray(at, at + STEP));
      ctx.budget.progress(false);
    }
  }
  await out.end();
}
