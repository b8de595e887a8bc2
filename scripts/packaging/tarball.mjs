/** The tarball with a Node of its own, for a dom0 that has none and cannot fetch one. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { sbom } from '../sbom.mjs';
import { DOCUMENTS, ROOT, read } from './stage.mjs';

const sha256 = (path) => createHash('sha256').update(readFileSync(path)).digest('hex');

/**
 * The npm package of packaging/tarball/node.json, from the cache or the registry.
 * @returns {{ node: string, license: string }} paths
 */
function fetched(stage) {
  const { version, packages } = JSON.parse(read('packaging/tarball/node.json'));
  const { name, integrity } = packages[process.arch] ?? {};
  if (!name) throw new Error(`packaging/tarball/node.json has no Node for ${process.arch}: --node=PATH`);
  const cache = process.env.NODEGRUB_CACHE ?? join(homedir(), '.cache/nodegrub');
  const folder = join(cache, `${name}-${version}`);
  const archive = join(folder, `${name}-${version}.tgz`);
  if (!existsSync(archive)) {
    mkdirSync(folder, { recursive: true });
    const env = { ...process.env, NODE_OPTIONS: '' };
    stage.run('npm', ['pack', '--silent', '--ignore-scripts', `${name}@${version}`], { cwd: folder, env });
  }
  const is = `sha512-${createHash('sha512').update(readFileSync(archive)).digest('base64')}`;
  if (is !== integrity) throw new Error(`${archive} is ${is}, packaging/tarball/node.json has ${integrity}`);
  const node = join(folder, 'package/bin/node');
  const license = join(folder, 'package/LICENSE');
  if (!existsSync(license))
    stage.run('tar', ['-C', folder, '-xzf', archive, 'package/bin/node', 'package/LICENSE']);
  return { node, license };
}

/** A Node that the caller names, with the licence that lies where Node's own archives or Debian have it. */
function given(path, license) {
  const node = realpathSync(path);
  const places = license
    ? [license]
    : [join(dirname(node), '../LICENSE'), '/usr/share/doc/nodejs/copyright', '/usr/share/doc/nodejs/LICENSE'];
  const found = places.find((place) => existsSync(place));
  if (!found) throw new Error(`${node}: its licence is in none of ${places.join(', ')}: --node-license=PATH`);
  return { node, license: found };
}

/** Name → path of what this Node loads, as its own dynamic linker says; the linker itself too. */
function librariesOf(node) {
  const env = { LD_TRACE_LOADED_OBJECTS: '1' };
  const text = execFileSync(node, ['--version'], { encoding: 'utf8', env });
  const found = new Map();
  for (const [, path] of text.matchAll(/(?:=> |^\s*)(\/\S+) \(/gm)) found.set(basename(path), path);
  if ([...found.keys()].some((name) => name.startsWith('libnode.')))
    throw new Error(`${node} is a distribution's, and reads files of its own: name another Node`);
  return found;
}

/** The Debian package that a file is from. */
function packageOf(stage, path) {
  for (const name of [path, realpathSync(path), realpathSync(path).replace(/^\/usr/, '')]) {
    try {
      const said = stage.run('dpkg-query', ['-S', name], { stdio: ['ignore', 'pipe', 'ignore'] }).toString();
      const package_ = said.split(/, |: /)[0];
      const fields = ['Package', 'Version', 'Architecture', 'source:Package', 'source:Version'];
      const format = fields.map((name) => `\${${name}}`).join(' ');
      const [binary, version, machine, source, sourceVersion] = stage
        .run('dpkg-query', ['-W', '-f', format, package_])
        .toString()
        .split(' ');
      return { binary, version, machine, source, sourceVersion };
    } catch {
      // Another of its names, with folders that are one.
    }
  }
  throw new Error(`dpkg does not know ${path}, so its licence is not known: --no-libraries`);
}

/**
 * Puts the libraries beside Node, and makes Node look there and nowhere else.
 * @returns the packages that they are from
 */
function bundle(stage, node, folder) {
  const libraries = librariesOf(node);
  const linker = [...libraries.keys()].find((name) => /^ld-.*\.so/.test(name));
  if (!linker) throw new Error(`${node} names no dynamic linker: --no-libraries`);
  const packages = new Map();
  for (const [name, path] of libraries) {
    stage.copy(realpathSync(path), join('nodegrub/lib', name));
    const from = packageOf(stage, path);
    const known = packages.get(from.binary) ?? { ...from, files: [] };
    known.files.push(name);
    packages.set(from.binary, known);
  }
  // RPATH and not RUNPATH: the libraries' own needs, and LD_LIBRARY_PATH does not come before it.
  const words = [
    '--set-interpreter',
    `${folder}/lib/${linker}`,
    '--force-rpath',
    '--set-rpath',
    `${folder}/lib`,
  ];
  stage.run('patchelf', [...words, join(stage.root, 'nodegrub/bin/node')]);
  for (const { binary } of packages.values())
    stage.copy(`/usr/share/doc/${binary}/copyright`, `nodegrub/licenses/${binary}.txt`);
  return [...packages.values()].sort((a, b) => (a.binary < b.binary ? -1 : 1));
}

const debian = ({ binary, version, machine, source, sourceVersion, files }) => {
  const purl = `pkg:deb/debian/${binary}@${version.replaceAll('+', '%2B')}?arch=${machine}`;
  return {
    type: 'library',
    'bom-ref': purl,
    name: binary,
    version,
    purl,
    properties: [
      ...files.map((name) => ({ name: 'nodegrub:file', value: `lib/${name}` })),
      { name: 'debian:source', value: `${source} ${sourceVersion}` },
    ],
  };
};

/** @returns {string} the tarball's path */
export function tarball(stage, options) {
  const { node, license } = options.node ? given(options.node, options['node-license']) : fetched(stage);
  const about = JSON.parse(
    execFileSync(node, ['-p', 'JSON.stringify({ arch: process.arch, versions: process.versions })'], {
      encoding: 'utf8',
      env: {},
    }),
  );
  const folder = `${(options.prefix ?? '/opt').replace(/\/+$/, '')}/nodegrub`;
  stage.copy(node, 'nodegrub/bin/node');
  const libraries = 'no-libraries' in options ? [] : bundle(stage, node, folder);

  stage.copy(stage.dist, 'nodegrub/dist');
  const start = readFileSync(join(stage.dist, 'nodegrub'), 'utf8');
  stage.write('nodegrub/dist/nodegrub', start.replace('exec node ', 'exec "$d/../bin/node" '));
  const madeFor = libraries.length > 0 ? folder : '';
  stage.write('nodegrub/link', read('packaging/tarball/link').replace('@FOLDER@', madeFor));
  for (const name of [...DOCUMENTS, 'CHANGELOG.md', 'LICENSE']) stage.copy(name, join('nodegrub', name));
  stage.copy('docs', 'nodegrub/docs');
  stage.copy('packaging/completions', 'nodegrub/completions');
  stage.copy('packaging/examples', 'nodegrub/examples');
  stage.copy(license, 'nodegrub/licenses/node.txt');

  const own = JSON.parse(readFileSync(join(stage.dist, 'sbom.cdx.json'), 'utf8'));
  const ours = own.components;
  const purl = `pkg:generic/node@${about.versions.node}`;
  const further = {
    type: 'application',
    'bom-ref': purl,
    name: 'node',
    version: about.versions.node,
    hashes: [{ alg: 'SHA-256', content: sha256(join(stage.root, 'nodegrub/bin/node')) }],
    purl,
    properties: Object.entries(about.versions).map(([name, value]) => ({ name: `node:${name}`, value })),
  };
  stage.write('nodegrub/dist/sbom.cdx.json', sbom(ROOT, [], [...ours, further, ...libraries.map(debian)]));
  const sources = libraries.map(
    ({ binary, version, source, sourceVersion, files }) =>
      `${files.join(', ')}: of Debian's package ${binary} ${version}, unchanged. Terms: ${binary}.txt.\n` +
      `  Source: Debian's source package ${source} ${sourceVersion} (apt-get source ${source}=${sourceVersion}, snapshot.debian.org).\n`,
  );
  stage.write(
    'nodegrub/licenses/README',
    `bin/node is Node.js ${about.versions.node}${libraries.length > 0 ? ', in which only the paths of its libraries were changed' : ''}. Terms: node.txt.\n` +
      `dist: LICENSE, and dist/THIRD-PARTY-NOTICES.txt.\n${sources.join('')}`,
  );

  const executable = /^nodegrub\/(link|bin\/node|dist\/nodegrub(\.js)?|lib\/ld-.*)$/;
  stage.settle((path) => executable.test(path));
  // One thread: see deb.mjs.
  const [suffix, compressor] = 'fast' in options ? ['gz', 'gzip -n1'] : ['xz', 'xz -T1 -6'];
  const out = join(stage.out, `nodegrub-${stage.version}-linux-${about.arch}.tar.${suffix}`);
  rmSync(out, { force: true });
  stage.run('tar', [
    '--create',
    '--format=gnu',
    '--sort=name',
    `--mtime=@${stage.epoch}`,
    '--owner=0',
    '--group=0',
    '--numeric-owner',
    `--use-compress-program=${compressor}`,
    `--file=${out}`,
    '-C',
    stage.root,
    ...readdirSync(stage.root),
  ]);
  return out;
}
