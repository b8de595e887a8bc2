/** The package for Debian and its relatives. */
import { createHash } from 'node:crypto';
import { existsSync, lstatSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DOCUMENTS, ROOT, read } from './stage.mjs';

const PROGRAM = 'usr/lib/nodegrub';
const DOC = 'usr/share/doc/nodegrub';

/** Debian's machine-readable format: one paragraph for each file that holds code of others, then the licences' texts. */
function copyright(stage) {
  const { components } = JSON.parse(readFileSync(join(stage.dist, 'sbom.cdx.json'), 'utf8'));
  const paragraphs = components.map(({ name, properties }) => {
    if (!existsSync(join(ROOT, 'packaging/deb', `copyright.${name}`)))
      throw new Error(`packaging/deb/copyright.${name} is missing: who wrote it, under which licence?`);
    const files = properties.map(({ value }) => `${PROGRAM}/${value}`).join('\n ');
    return `Files: ${files}\n${read('packaging/deb', `copyright.${name}`)}`;
  });
  return [read('packaging/deb/copyright'), ...paragraphs, read('packaging/deb/copyright.licenses')].join(
    '\n',
  );
}

/** @returns {string} the package's path */
export function deb(stage) {
  const changelog = read('packaging/deb/changelog');
  const version = /^nodegrub \((\S+)\)/.exec(changelog)[1];
  if (!version.startsWith(`${stage.version}-`))
    throw new Error(`packaging/deb/changelog begins with ${version}, package.json has ${stage.version}`);

  for (const name of readdirSync(stage.dist))
    if (/\.(js|gz)$/.test(name)) stage.copy(join(stage.dist, name), join(PROGRAM, name));
  stage.copy('packaging/deb/nodegrub', 'usr/bin/nodegrub');
  stage.gzip('usr/share/man/man8/nodegrub.8.gz', read('docs/nodegrub.8'));
  stage.copy('packaging/completions/nodegrub.bash', 'usr/share/bash-completion/completions/nodegrub');
  stage.copy('packaging/completions/_nodegrub', 'usr/share/zsh/vendor-completions/_nodegrub');
  stage.copy('packaging/apparmor/nodegrub', 'etc/apparmor.d/nodegrub');
  for (const name of DOCUMENTS) stage.copy(name, join(DOC, name));
  for (const name of readdirSync(join(ROOT, 'docs')))
    if (/\.(md|json|svg)$/.test(name)) stage.copy(join('docs', name), join(DOC, name));
  stage.copy('packaging/examples', join(DOC, 'examples'));
  stage.copy('packaging/deb/lintian-overrides', 'usr/share/lintian/overrides/nodegrub');
  stage.copy(join(stage.dist, 'sbom.cdx.json'), join(DOC, 'sbom.cdx.json'));
  stage.write(join(DOC, 'copyright'), copyright(stage));
  stage.gzip(join(DOC, 'changelog.gz'), read('CHANGELOG.md'));
  stage.gzip(join(DOC, 'changelog.Debian.gz'), changelog);

  const files = stage.files();
  const sum = (path) => createHash('md5').update(readFileSync(path)).digest('hex');
  const relative = (path) => path.slice(stage.root.length + 1);
  const sums = files.filter((path) => !relative(path).startsWith('etc/'));
  const size = files.reduce((all, path) => all + Math.ceil(lstatSync(path).size / 1024), 0);
  const control = read('packaging/deb/control').replace('@VERSION@', version).replace('@SIZE@', String(size));
  const made = read('packaging/deb/made').trimEnd();
  stage.write('DEBIAN/control', control);
  stage.write('DEBIAN/md5sums', sums.map((path) => `${sum(path)}  ${relative(path)}\n`).join(''));
  stage.write('DEBIAN/conffiles', '/etc/apparmor.d/nodegrub\n');
  stage.write('DEBIAN/triggers', read('packaging/deb/triggers'));
  for (const script of ['postinst', 'prerm', 'postrm'])
    stage.write(`DEBIAN/${script}`, read('packaging/deb', script).replace('@MADE@', made));

  const executable = ['usr/bin/nodegrub', `${PROGRAM}/nodegrub.js`];
  stage.settle((path) => executable.includes(path) || /^DEBIAN\/(post|pre)/.test(path));
  const out = join(stage.out, `nodegrub_${version}_all.deb`);
  rmSync(out, { force: true });
  // One thread: with more, where xz divides its blocks depends on the machine.
  stage.run('dpkg-deb', ['--root-owner-group', '-Zxz', '--threads-max=1', '--build', stage.root, out]);
  return out;
}
