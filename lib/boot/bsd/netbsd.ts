/**
 * NetBSD: /boot.cfg, or /netbsd alone. Facts: boot.cfg(5), boot(8); under Xen the kernel reads `root=xbd0a`, `bootdev=` and
 * flags such as `-s` from its command line (NetBSD/xen HOWTO; xen_parse_cmdline).
 */
import { type ByteString, printable } from '../../bytes/text';
import type { BootContext, ConfigFile } from '../model';
import { readFstab, readText } from '../system';
import { trimBlanks, wordsOf } from '../words';
import type { Candidate, Menu } from './menu';

const MAX_ITEMS = 100;

export function netbsd(config: ConfigFile, ctx: BootContext): Menu {
  const { fs } = config;
  const root = readFstab(fs, '', ctx).find((mount) => mount.point === '/')?.spec;
  const device = root === undefined ? undefined : /^(?:\/dev\/)?([a-z]+\d+[a-p]|dk\d+)$/.exec(root)?.[1];
  const notes = device === undefined ? ["nothing says where '/' is: root= is not set"] : [];
  const candidate = (title: ByteString, kernel: ByteString, options: readonly ByteString[]): Candidate => ({
    title,
    kernel,
    args: [...(device === undefined ? [] : [`root=${device}`]), ...options].join(' '),
    notes,
  });

  const candidates: Candidate[] = [];
  const warnings: string[] = [];
  let chosen = 0;
  let timeout = 5;
  for (const line of (readText(fs, '/boot.cfg', ctx) ?? '').split('\n')) {
    ctx.budget.step(1 + (line.length >> 6));
    const given = /^[ \t]*(menu|default|timeout)[ \t]*=([\s\S]*)$/.exec(line);
    if (!given) continue;
    const value = trimBlanks(given[2]!);
    if (given[1] === 'timeout') timeout = Math.max(Number.parseInt(value, 10) || 0, -1);
    else if (given[1] === 'default') chosen = (Number.parseInt(value, 10) || 1) - 1;
    else if (candidates.length < MAX_ITEMS) {
      const colon = value.indexOf(':');
      const title = colon < 0 ? value : value.slice(0, colon);
      const boot = value
        .slice(colon + 1)
        .split(';')
        .map((command) => wordsOf(command))
        .find(([command]) => command === 'boot');
      if (!boot) {
        if (!/^(?:prompt|halt|reboot)$/.test(trimBlanks(value.slice(colon + 1))))
          warnings.push(`'${printable(title, 60)}' boots no kernel`);
        // Kept, so that `default` counts as NetBSD's boot does.
        candidates.push({ ...candidate(title, '', []), notes: ['this item boots no kernel'] });
        continue;
      }
      const named = boot[1] !== undefined && !boot[1].startsWith('-') ? boot[1] : 'netbsd';
      const options = boot.slice(named === boot[1] ? 2 : 1);
      // `hd0a:netbsd`: the device is the one that this configuration lies on.
      const path = named.slice(named.indexOf(':') + 1);
      candidates.push(candidate(title, path.startsWith('/') ? path : `/${path}`, options));
    }
  }
  if (candidates.length === 0) candidates.push(candidate('NetBSD', config.path, []));
  const inside = chosen >= 0 && chosen < candidates.length;
  if (!inside) warnings.push(`the default ${chosen + 1} of boot.cfg does not exist, the first is taken`);
  return { candidates, default: inside ? chosen : 0, timeout, warnings };
}
