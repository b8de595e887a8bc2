/** What is said when nothing boots: one line a volume, and the most likely volume's reason last. */
import { type Diagnostic, Rank, shortName } from './boot/discover';
import { GuestError } from './bytes/errors';

/** Lines for stderr, most likely volume's reason in the last, which is the only one with `RuntimeError: `. */
export function failureLines(disk: string, noted: readonly Diagnostic[]): string[] {
  const found = noted.map(named);
  // A volume that got further has nothing to add by what it lacked on the way.
  const best = new Map<string, Rank>();
  for (const d of found) best.set(d.volume.name, Math.max(best.get(d.volume.name) ?? Rank.Nothing, d.rank));
  const shown = found.filter((d) => d.rank > Rank.NoConfig || d.rank === best.get(d.volume.name));
  const lines = [...new Set(shown.map((d) => d.text))];
  const likely = shown.reduce<Diagnostic | undefined>((a, b) => (a && a.rank >= b.rank ? a : b), undefined);
  let reason = 'nothing bootable was found';
  if (likely && likely.rank > Rank.NoConfig) reason = likely.text;
  else if (likely?.rank === Rank.NoConfig) reason = `no boot configuration on ${names(shown, Rank.NoConfig)}`;
  else if (likely) reason = `no filesystem that is known here on ${names(shown, likely.rank)}`;
  return [...lines, `RuntimeError: ${disk} does not boot: ${reason}`];
}

/** What nothing is known of may be a member of something that was found since: it says so. */
function named(d: Diagnostic): Diagnostic {
  if (d.rank !== Rank.UnknownContent) return d;
  try {
    d.volume.shown?.();
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    return { ...d, rank: Rank.Unreadable, text: `${shortName(d.volume)}: ${error.message}` };
  }
  return d;
}

function names(found: readonly Diagnostic[], rank: Rank): string {
  const all = [...new Set(found.filter((d) => d.rank === rank).map((d) => shortName(d.volume)))];
  return all.length > 4 ? `${all.slice(0, 4).join(', ')} and ${all.length - 4} more` : all.join(', ');
}
