/** What a configuration without entries of its own means: the Boot Loader Specification files beside it, if any. */
import { tryWalk } from '../../fs/walk';
import type { Machine } from './commands/types';

/** Looks first, so that the code that reads them is only loaded when there is something to read. */
export function addEntriesInstead(machine: Machine): void {
  const { home } = machine;
  // A `blscfg` that found nothing has said what there is to say.
  if (!home || machine.root()?.name !== home.name || machine.memory.has('blscfg')) return;
  const fs = home.filesystem();
  if (!fs || !['/loader/entries', '/boot/loader/entries'].some((place) => tryWalk(fs, place))) return;
  const { entriesInstead } = require('./commands/rare') as typeof import('./commands/rare');
  if (entriesInstead(machine))
    machine.warn('the configuration makes no menu entries; those of loader/entries are used instead');
}
