import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../support';
import { CLEAN_ENV } from './support';

/**
 * Runs a bash script in a Linux kernel with partition scans and vfat (uml.sh), on this machine's files.
 * @param modules further kernel modules in the order in which they are loaded, `fs/f2fs/f2fs`
 * @returns what it printed, as UTF-8
 */
export function inLinux(dir: string, script: string, modules: readonly string[] = []): string {
  const path = join(dir, 'in-linux.sh');
  writeFileSync(path, script);
  const r = spawnSync('bash', [join(ROOT, 'test/peers/uml.sh'), path], {
    encoding: 'utf8',
    env: { ...CLEAN_ENV, NODE_OPTIONS: '', UML_TIMEOUT: '500', UML_MODULES: modules.join(' ') },
    maxBuffer: 1 << 26,
  });
  if (r.status !== 0) throw new Error(`uml.sh: status ${r.status}\n${r.stdout}${r.stderr}`);
  return r.stdout;
}
