/** What was copied is judged, not what the disk held before. */
import { createHash } from 'node:crypto';
import { closeSync, ftruncateSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { BootTarget } from '../../lib/boot/model';
import { FileParts } from '../../lib/fs/part';
import { walk } from '../../lib/fs/walk';
import { readPe } from '../../lib/kernel/pe';
import { type ContentRules, FileChecker, Refused } from '../../lib/policy/files';
import { pemBlocks, readCertificate } from '../../lib/policy/signature/x509';
import { MemoryFs, memoryGuest, pieces } from '../boot/memfs';
import { makePe } from '../kernel/make-pe';
import { context, ROOT } from '../support';

const dir = mkdtempSync(join(tmpdir(), 'nodegrub-policy-'));
t.teardown(() => rmSync(dir, { recursive: true }));
const fixture = (name: string) => readFileSync(join(ROOT, 'fixtures/policy', name));
const trusted = pemBlocks(fixture('ca.pem').toString()).map(({ bytes }) => readCertificate(bytes, 'ca'));
const hash = (bytes: Uint8Array): ContentRules => ({
  sha256: new Set([createHash('sha256').update(bytes).digest('hex')]),
  signature: undefined,
});

/** A descriptor over a file with these bytes. */
let count = 0;
function copy(bytes: Uint8Array): number {
  const fd = openSync(join(dir, `copy${count++}`), 'w+');
  writeSync(fd, bytes);
  t.teardown(() => closeSync(fd));
  return fd;
}

const why = (body: () => void): string => {
  try {
    body();
    return '';
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return `${error.rule}: ${error.why}`;
  }
};

const target = (fs: MemoryFs, kernel: string, ...initrds: string[]): BootTarget => {
  const [volume] = memoryGuest(context(), [fs]).volumes();
  const file = (path: string) => ({ volume, path, found: { fs, node: walk(fs, path) } });
  const parts = initrds.map((path) => ({ file: file(path) }));
  return { kernel: file(kernel), initrds: parts, args: '', root: 'hd0', problem: null, notes: [] };
};

t.test('a kernel and a ramdisk of two files', async (t) => {
  const kernel = Buffer.from('a kernel'.repeat(100));
  const one = Buffer.from('one!!');
  const two = Buffer.from('two');
  const tree = new MemoryFs({ kernel: pieces(kernel, 77, ['data', 'inline', 'packed']), one, two });
  const wanted = target(tree, '/kernel', '/one', '/two');
  const sums = new Set([...hash(one).sha256!, ...hash(two).sha256!]);
  const checker = new FileChecker({ kernel: hash(kernel), ramdisk: { sha256: sums, signature: undefined } });
  t.equal(
    why(() => checker.onDisk(wanted, context())),
    '',
  );
  // As extract/initrd.ts puts them.
  const ramdisk = Buffer.concat([one, Buffer.alloc(3), two]);
  const check = (k: Buffer, r: Buffer) =>
    why(() => checker.copied(wanted, { kernel: copy(k), ramdisk: copy(r) }, context()));
  t.equal(check(kernel, ramdisk), '');
  const other = (bytes: Buffer, at: number) => {
    const changed = Buffer.from(bytes);
    changed[at]! ^= 1;
    return changed;
  };
  t.match(check(other(kernel, 799), ramdisk), /^kernel\.sha256: \/kernel has the hash/);
  t.match(check(kernel, other(ramdisk, 4)), /^ramdisk\.sha256: \/one has the hash/);
  t.match(check(kernel, other(ramdisk, 10)), /^ramdisk\.sha256: \/two has the hash/);
  t.match(check(Buffer.concat([kernel, one]), ramdisk), /^kernel: what was copied is not as long/);
  t.match(check(kernel, ramdisk.subarray(0, 10)), /^ramdisk: what was copied is not as long/);
  t.match(check(kernel, Buffer.concat([ramdisk, two])), /^ramdisk: what was copied is not as long/);
});

t.test('sections of a unified image are taken from the copy', async (t) => {
  // The signed fixture is a PE image; its sections stand for those of a unified one.
  const bytes = fixture('signed');
  const ctx = context();
  const fs = new MemoryFs({ uki: bytes });
  const node = walk(fs, '/uki');
  const parts = new FileParts(fs, node);
  const [text, data] = readPe(fs, node, 'uki', ctx)!.sections;
  const [volume] = memoryGuest(ctx, [fs]).volumes();
  const piece = ({ at, size }: { at: number; size: number }) => ({
    volume,
    path: '/uki',
    found: { fs: parts, node: parts.part(at, size) },
  });
  const unified: BootTarget = {
    kernel: piece(text!),
    initrds: [{ file: piece(data!) }],
    args: '',
    root: 'hd0',
    problem: null,
    notes: [],
  };
  const rules: ContentRules = { sha256: undefined, signature: { trusted, accept: ['pe'] } };
  const checker = new FileChecker({ kernel: rules, ramdisk: rules });
  t.equal(
    why(() => checker.onDisk(unified, ctx)),
    '',
  );
  const cut = ({ at, size }: { at: number; size: number }) => Buffer.from(bytes.subarray(at, at + size));
  const check = (k: Buffer, r: Buffer) =>
    why(() => checker.copied(unified, { kernel: copy(k), ramdisk: copy(r) }, ctx));
  t.equal(check(cut(text!), cut(data!)), '');
  const changed = cut(data!);
  changed[0]! ^= 1;
  t.match(check(cut(text!), changed), /was made for other content/);
  const kernel = cut(text!);
  kernel[kernel.length - 1]! ^= 1;
  t.match(check(kernel, cut(data!)), /was made for other content/);
  t.match(
    why(() =>
      new FileChecker({ kernel: rules, ramdisk: undefined }).onDisk(
        target(new MemoryFs({ x: makePe([]) }), '/x'),
        ctx,
      ),
    ),
    /carries no signature/,
  );
});

t.test('a file that is cut while it is looked at', async (t) => {
  const kernel = Buffer.alloc(3_000_000, 1);
  const wanted = target(new MemoryFs({ kernel }), '/kernel');
  const fd = copy(kernel);
  ftruncateSync(fd, 100);
  t.match(
    why(() =>
      new FileChecker({ kernel: hash(kernel), ramdisk: undefined }).copied(
        wanted,
        { kernel: fd, ramdisk: copy(Buffer.alloc(0)) },
        context(),
      ),
    ),
    /not as long/,
  );
});
