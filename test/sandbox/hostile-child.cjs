/**
 * A parser that somebody has taken over: stands in the place of nodegrub.js in a copy of dist/. Where the sandbox starts it
 * (`--inside`) it does what `--args=ATTACK` says; outside it is the program, but in the mode `basic` or `off` it attacks when the
 * privileges are gone. What it could do it writes, as JSON, into the kernel's file, the only thing that it may write anyway; in the other modes onto stdout.
 */
'use strict';
const fs = require('node:fs');
const net = require('node:net');
const { spawnSync } = require('node:child_process');

const argv = process.argv.slice(2);
const option = (name) => argv.find((word) => word.startsWith(`--${name}=`))?.slice(name.length + 3);
const inside = option('inside');
const [attack = '', disk = '', port = '', foreign = ''] = (option('args') ?? '').split(',');

function tried(body) {
  try {
    return { done: true, with: String(body()).slice(0, 200) };
  } catch (error) {
    return { done: false, with: error.code ?? error.message };
  }
}

const connected = () =>
  new Promise((next) => {
    const timer = setTimeout(() => next({ done: false, with: 'no answer' }), 2000);
    const end = (result) => {
      clearTimeout(timer);
      next(result);
    };
    try {
      net
        .connect(Number(port), '127.0.0.1', () => end({ done: true, with: 'connected' }))
        .on('error', (error) => end({ done: false, with: error.code }));
    } catch (error) {
      end({ done: false, with: error.code ?? error.message });
    }
  });

/** Of each: whether it went. */
async function harmless(disks) {
  return {
    passwd: tried(() => fs.readFileSync('/etc/passwd', 'utf8')),
    shadow: tried(() => fs.readFileSync('/etc/shadow', 'utf8').length),
    list: tried(() => fs.readdirSync('/').filter((name) => name === 'etc' || name === 'home').join() || fail('nothing of the host')),
    proc: tried(() => fs.readFileSync('/proc/self/status', 'latin1').length),
    tmp: tried(() => fs.writeFileSync('/tmp/nodegrub-hostile', 'x')),
    own: tried(() => fs.writeFileSync(`${__dirname}/nodegrub-hostile`, 'x')),
    reopen: tried(() => fs.openSync(disk, 'r+')),
    disk: tried(() => disks.map((fd) => fs.writeSync(fd, 'x', 0))),
    exec: tried(() => {
      const { error, status } = spawnSync('/bin/sh', ['-c', 'exit 7']);
      if (error) throw error;
      if (status !== 7) fail(`status ${status}`);
    }),
    node: tried(() => {
      const { error, status } = spawnSync(process.execPath, ['-e', 'process.exit(7)']);
      if (error) throw error;
      if (status !== 7) fail(`status ${status}`);
    }),
    socket: await connected(),
    signal: tried(() => process.kill(inside ? Number(foreign) : process.ppid, 0)),
    root: tried(() => process.setuid(0)),
    name: tried(() => fs.symlinkSync('/etc/passwd', `${option('output-directory')}/link`)),
  };
}

function fail(why) {
  throw new Error(why);
}

const ANSWER = '\tramdisk 0\n\targs x\n\tend\n';
const say = (text) => fs.writeSync(1, text);

async function act(kernel, disks) {
  switch (attack) {
    case 'fill':
      for (;;) fs.writeSync(kernel, Buffer.alloc(1 << 20));
    case 'eat': {
      const held = [];
      for (;;) held.push(Buffer.alloc(16 << 20, 1));
    }
    case 'loop':
      for (;;);
    case 'flood':
      for (;;) say('\targs '.padEnd(65536, 'x'));
    case 'log':
      for (;;) fs.writeSync(2, 'x'.repeat(65535).concat('\n'));
    case 'path':
      fs.writeSync(kernel, 'kernel');
      say(`\tkernel /etc/shadow\n${ANSWER}`);
      return 0;
    case 'item':
      fs.writeSync(kernel, 'kernel');
      say('\tramdisk 0\n\targs a\\0012kernel /etc/shadow\\0000kernel /etc/shadow\n\tend\n');
      return 0;
    case 'twice':
      fs.writeSync(kernel, 'kernel');
      say(ANSWER + ANSWER);
      return 0;
    case 'raw':
      fs.writeSync(kernel, 'kernel');
      say('\tramdisk 0\n\targs \x1b[2J\n\tend\n');
      return 0;
    case 'terminal':
      fs.writeSync(2, '\x1b]0;title\x07\x1b[2Jlog\nRuntimeError: \x1b[31mred\n');
      return 1;
    case 'empty':
      say(ANSWER);
      return 0;
    case 'silent':
      return 0;
    case 'dies':
      fs.writeSync(kernel, 'half');
      process.abort();
    default:
      fs.writeSync(kernel, JSON.stringify(await harmless(disks)));
      say(ANSWER);
      return 0;
  }
}

if (inside) {
  const handed = inside.slice(0, inside.indexOf(';')).split(',');
  const of = (letter) => handed.filter((word) => word[0] === letter).map((word) => Number(word.slice(1).split(':')[0]));
  // As inside.ts does, before it reads a byte of the guest's.
  for (const uid of of('u')) {
    process.setgroups([]);
    process.setgid(uid);
    process.setuid(uid);
  }
  fs.writeSync(2, '\tready\n');
  if (of('g').length > 0) fs.readSync(0, Buffer.alloc(1));
  void act(of('k')[0], of('d')).then((status) => process.reallyExit(status));
} else {
  const { openSync } = fs;
  const opened = {};
  fs.openSync = (path, ...more) => {
    const fd = openSync(path, ...more);
    if (path === disk) opened.disk = fd;
    return fd;
  };
  const taken = async () => {
    // The helper removes the outputs; stdout is this process's own here.
    fs.writeSync(1, `\nREPORT ${JSON.stringify(await harmless([opened.disk]))}\n`);
    process.reallyExit(0);
  };
  const { setuid } = process;
  let hostile = false;
  if (attack === 'basic')
    process.setuid = (uid) => {
      setuid.call(process, uid);
      hostile = true;
    };
  // The first byte of the disk that is read once there is nothing more to give up.
  const { readSync } = fs;
  fs.readSync = (fd, ...more) => {
    if (fd === opened.disk && (hostile || attack === 'off') && !opened.begun) {
      opened.begun = true;
      void taken();
      throw Object.assign(new Error('taken over'), { code: 'EHOSTILE' });
    }
    return readSync(fd, ...more);
  };
  const { main } = require('./nodegrub-real.js').load('core.js');
  void main(argv, 'nodegrub').then((status) => opened.begun || process.reallyExit(status));
}
