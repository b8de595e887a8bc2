/** docs/troubleshooting.md: every message that it explains is one of the program's. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ROOT } from '../support';

function sources(folder: string): string {
  return readdirSync(join(ROOT, folder), { withFileTypes: true })
    .map((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return sources(path);
      return /\.(ts|sh)$/.test(entry.name) ? readFileSync(join(ROOT, path), 'utf8') : '';
    })
    .join('\n');
}

t.test('the messages', async (t) => {
  const text = ['lib', 'menu', 'fsdrivers'].map(sources).join('\n');
  const rows = readFileSync(join(ROOT, 'docs', 'troubleshooting.md'), 'utf8')
    .split('\n')
    .filter((line) => /^\| [^-m]/.test(line) || /^\| `/.test(line));
  t.ok(rows.length > 10, `${rows.length} rows`);
  for (const row of rows) {
    const [, message = ''] = row
      .split(' | ')[0]!
      .split('| ')
      .map((cell) => cell.trim());
    for (const [, words] of message.matchAll(/`([^`]+)`/g))
      t.ok(text.includes(words!.replace(/^: /, '')), `'${words}' is in the sources`);
  }
});
