/** What of other people's is in dist/: as a CycloneDX 1.5 document, and as the licences' texts. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const read = (...path) => readFileSync(join(...path), 'utf8');

/**
 * The npm packages of which esbuild took a file.
 * @param {string} root of the project
 * @param {Map<string, string[]>} inputs built file → its sources, relative to the root
 * @returns {{ name: string, version: string, license: string, integrity: string, files: string[] }[]} as package-lock.json has
 *   them, by name; `files` hold code of theirs
 */
export function packagesIn(root, inputs) {
  const { packages } = JSON.parse(read(root, 'package-lock.json'));
  const found = new Map();
  for (const [file, sources] of inputs) {
    for (const source of sources) {
      const name = /(?:^|.*\/)node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(source)?.[1];
      if (name === undefined) continue;
      if (!found.has(name)) found.set(name, { ...installed(root, packages, name), files: new Set() });
      found.get(name).files.add(file);
    }
  }
  return [...found.values()]
    .map((one) => ({ ...one, files: [...one.files].sort() }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function installed(root, packages, name) {
  const locked = packages[`node_modules/${name}`];
  const { version, license } = JSON.parse(read(root, 'node_modules', name, 'package.json'));
  if (locked?.version !== version)
    throw new Error(`${name} ${version} is installed, package-lock.json has ${locked?.version}: npm ci`);
  return { name, version, license, integrity: locked.integrity };
}

/** A UUID (version 5's form) that is the same for the same content. */
function uuidOf(text) {
  const hash = createHash('sha1').update(text).digest();
  hash[6] = (hash[6] & 0x0f) | 0x50;
  hash[8] = (hash[8] & 0x3f) | 0x80;
  return hash.toString('hex', 0, 16).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

const npm = ({ name, version, license, integrity, files }) => {
  const [algorithm, base64] = integrity.split('-');
  const purl = `pkg:npm/${name.replace('@', '%40')}@${version}`;
  return {
    type: 'library',
    'bom-ref': purl,
    name,
    version,
    hashes: [
      {
        alg: algorithm.toUpperCase().replace('SHA', 'SHA-'),
        content: Buffer.from(base64, 'base64').toString('hex'),
      },
    ],
    licenses: [{ license: { id: license } }],
    purl,
    properties: files.map((value) => ({ name: 'nodegrub:file', value })),
  };
};

/**
 * @param {string} root of the project
 * @param packages as packagesIn() gives them
 * @param {object[]} further components (the tarball: Node and its libraries)
 * @returns {string} JSON; no time and no random number in it
 */
export function sbom(root, packages, further = []) {
  const { name, version, license, description } = JSON.parse(read(root, 'package.json'));
  const purl = `pkg:npm/${name}@${version}`;
  const components = [...packages.map(npm), ...further];
  const document = {
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    serialNumber: `urn:uuid:${uuidOf(JSON.stringify([purl, components]))}`,
    version: 1,
    metadata: {
      component: {
        type: 'application',
        'bom-ref': purl,
        name,
        version,
        description,
        licenses: [{ license: { id: license } }],
        purl,
      },
    },
    components,
    dependencies: [
      { ref: purl, dependsOn: components.map((component) => component['bom-ref']) },
      ...components.map((component) => ({ ref: component['bom-ref'] })),
    ],
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

/** The licences' texts: the packages' own files, and what packaging/notices/NAME.txt adds where code in them is somebody else's. */
export function notices(root, packages) {
  const parts = packages.map((found) => {
    const folder = join(root, 'node_modules', found.name);
    const files = readdirSync(folder).filter((name) => /^(licen[cs]e|copying|notice)(\.|$)/i.test(name));
    if (files.length === 0) throw new Error(`${found.name} has no licence file`);
    const more = join(root, 'packaging/notices', `${found.name.replace('/', '-')}.txt`);
    const texts = [...files.sort().map((name) => join(folder, name)), ...(existsSync(more) ? [more] : [])];
    return [
      `${found.name} ${found.version} (${found.license})`,
      ...texts.map((path) => read(path).replace(/\r\n/g, '\n').trimEnd()),
    ].join('\n\n');
  });
  const rule = `\n\n${'-'.repeat(78)}\n\n`;
  return `nodegrub's program files hold code of these packages:${rule}${parts.join(rule)}\n`;
}
