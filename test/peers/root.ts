/** Another system's files as the root of a mount namespace, to install packages into; what is written there is gone with it. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ROOT } from '../support';
import { type Ran, run } from './support';

interface Owner {
  teardown(fn: () => void): unknown;
}

/** Becomes the namespace: $0 is the folder that it sees as /host, $1 a root directory (none: busybox alone). */
const ENTER = `set -e
w=$(mktemp -d)
mount -t tmpfs tmpfs "$w"
mkdir "$w/upper" "$w/work" "$w/root"
# A root must be a mount of its own.
mount --bind "$w/root" "$w/root"
if [ -n "$1" ]; then
  mount -t overlay overlay -o "lowerdir=$1,upperdir=$w/upper,workdir=$w/work" "$w/root" 2>/dev/null || cp -a "$1/." "$w/root"
else
  mkdir -p "$w/root/bin" "$w/root/proc" "$w/root/dev" "$w/root/run" "$w/root/tmp" "$w/root/opt" "$w/root/etc"
  cp "$(command -v busybox)" "$w/root/bin/busybox"
  for name in $("$w/root/bin/busybox" --list); do [ "$name" = busybox ] || ln -s busybox "$w/root/bin/$name"; done
fi
cd "$w/root"
mount -t proc proc proc
mount --rbind /dev dev
mount -t tmpfs tmpfs run
mkdir -p host old
mount --bind "$0" host
pivot_root . old
exec chroot . /bin/sh -c 'umount -l /old; rmdir /old; touch /run/ready; exec sleep 1000'`;

export class Root {
  readonly #child: ChildProcess;

  /** @param folder of the host's, seen as /host */
  constructor(t: Owner, folder: string, system?: string) {
    this.#child = spawn(
      'unshare',
      ['-m', '--propagation', 'private', 'bash', '-c', ENTER, folder, system ?? ''],
      {
        stdio: ['ignore', 'ignore', 'inherit'],
        env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
      },
    );
    t.teardown(() => this.#child.kill('SIGKILL'));
    for (let tries = 0; this.run('test -e /run/ready').status !== 0; tries++) {
      if (tries === 200) throw new Error('the namespace did not come to life');
      spawnSync('sleep', ['0.1']);
    }
  }

  /** A script for the root's own /bin/sh. */
  run(script: string): Ran {
    const target = `--target=${this.#child.pid}`;
    return run('/usr/bin/nsenter', [target, '--mount', '/bin/sh', '-c', script], {
      env: {
        PATH: '/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        HOME: '/tmp',
        DEBIAN_FRONTEND: 'noninteractive',
      },
    });
  }

  /** One that must succeed. @returns what it printed */
  must(script: string): string {
    const { status, stdout, stderr } = this.run(script);
    if (status !== 0) throw new Error(`${script}\nstatus ${status}\n${stdout}${stderr}`);
    return stdout;
  }
}

/** A minimal Debian 12 with Node 18, or why there is none. */
export function debianRoot(): { root: string } | { why: string } {
  const made = spawnSync('bash', [join(ROOT, 'test/peers/debian-root.sh')], {
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  if (made.status === 77) return { why: made.stderr.trim() };
  if (made.status !== 0) throw new Error(made.stderr);
  return { root: made.stdout.trim() };
}
