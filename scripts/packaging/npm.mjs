/** The package for `npm install -g`. */
import { join } from 'node:path';
import { read } from './stage.mjs';

/**
 * What stands between the program and a faster start is not worth a failed installation. Where npm is told to run no scripts, the program
 * works as it was packed.
 */
const POSTINSTALL =
  "node dist/make-cache.js || echo 'nodegrub: no code cache could be made; each start takes 10 to 15 ms longer'";

/** @returns {string} the package's path */
export function npm(stage) {
  const { devDependencies: _, scripts: __, private: ___, ...manifest } = JSON.parse(read('package.json'));
  const own = { ...manifest, scripts: { postinstall: POSTINSTALL } };
  stage.write('package.json', `${JSON.stringify(own, null, 2)}\n`);
  stage.copy(stage.dist, 'dist');
  for (const name of ['docs', 'packaging/completions', 'packaging/examples']) stage.copy(name, name);
  for (const name of ['README.md', 'SECURITY.md', 'CHANGELOG.md', 'LICENSE']) stage.copy(name, name);
  stage.settle((path) => /^dist\/nodegrub(\.js)?$/.test(path));
  const words = ['pack', '--silent', '--ignore-scripts', `--pack-destination=${stage.out}`];
  stage.run('npm', words, { cwd: stage.root });
  return join(stage.out, `nodegrub-${stage.version}.tgz`);
}
