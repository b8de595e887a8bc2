/** The completions, typed at real shells. */
import { join } from 'node:path';
import t from 'tap';
import { Console } from '../menu/pty';
import { ROOT } from '../support';

const folder = join(ROOT, 'packaging/completions');

/** What each shell is told first, and the end of what it then shows. */
const SHELLS = {
  bash: {
    program: ['bash', '--norc', '--noprofile', '-i'],
    setup: [
      "PS1='ready> '",
      "bind 'set bell-style none'",
      '. /usr/share/bash-completion/bash_completion',
      `. ${join(folder, 'nodegrub.bash')}`,
    ],
  },
  zsh: {
    program: ['zsh', '-f', '-i'],
    setup: [
      "PS1='ready> '; unsetopt beep; LISTMAX=1000",
      `fpath=(${folder} $fpath); autoload -U compinit; compinit -D -u`,
    ],
  },
};

for (const [name, { program, setup }] of Object.entries(SHELLS)) {
  t.test(name, async (t) => {
    const shell = Console.start([], {
      program,
      cols: 120,
      rows: 60,
      term: 'xterm',
      env: { HOME: '/nonexistent' },
    });
    t.teardown(() => process.kill(shell.pid, 'SIGKILL'));
    // Not by ^C: a signal throws away what was typed and not yet read.
    for (const line of [...setup, 'stty -isig']) shell.write(`${line}\r`);
    shell.write('\x0c');
    await shell.until(/^ready> ?$/, 60_000);
    /** Types the words and TAB (twice: bash then lists what there is), then empties line and screen. */
    const typed = async (words: string, wanted: RegExp, tabs = '\t') => {
      shell.write(words + tabs);
      await shell.until(wanted, 60_000);
      t.match(shell.text(), wanted, words);
      shell.write('\x15\x0c');
      await shell.until(/^ready> ?$/, 60_000);
    };
    await typed('nodegrub --not', /^ready> nodegrub --not-really/);
    await typed('nodegrub --output-f', /^ready> nodegrub --output-format=/);
    await typed('nodegrub -q --output-format=sx', /^ready> nodegrub -q --output-format=sxp/);
    await typed('nodegrub --output-format=', /\bjson\b[\s\S]*\bsimple0\b/, '\t\t');
    await typed('nodegrub --sandbox=st', /^ready> nodegrub --sandbox=strict/);
    await typed('nodegrub --image-format=raw,qco', /qcow\b[\s\S]*qcow2/, '\t\t\t');
    await typed('nodegrub --image-format=raw,vhdx', /^ready> nodegrub --image-format=raw,vhdx/);
    await typed('nodegrub --key-file=fixtures/ima', /^ready> nodegrub --key-file=fixtures\/images\//);
    await typed('nodegrub --output-directory=fixt', /^ready> nodegrub --output-directory=fixtures\//);
    await typed(
      'nodegrub -q fixtures/images/example.im',
      /^ready> nodegrub -q fixtures\/images\/example\.img/,
    );
    await typed('nodegrub --key', /--key-fd[\s\S]*--key-file/, '\t\t\t');
  });
}
