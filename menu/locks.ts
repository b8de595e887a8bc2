/** What a person has proved so far, and the questions. */
import type { Access, Password } from '../lib/boot/model';
import type { ByteString } from '../lib/bytes/text';
import { checkPassword } from './passwords';
import { Attempts } from './passwords/attempts';
import { prompt } from './prompt';
import type { Terminal } from './terminal';
import { editable } from './text';

/** Where a configuration names users and no passwords. */
const NOBODYS: Password = { scheme: 'plain', value: '' };

export type Answer = 'right' | 'wrong' | 'cancelled' | 'gone';

export class Locks implements Access {
  /** What the last evaluation asked for in vain. */
  refused: { readonly users: readonly ByteString[] } | { readonly password: Password } | undefined;
  readonly #proved = new Set<ByteString>();
  /** Passwords of entries that were given, by scheme and value. */
  readonly #given = new Set<string>();
  readonly #attempts = new Attempts();

  constructor(
    private readonly terminal: Terminal,
    private readonly below: (words: string) => void,
  ) {}

  /** Nothing is to be asked for. @param users undefined: anybody may */
  open(users: readonly ByteString[] | undefined): boolean {
    return users === undefined || users.some((user) => this.#proved.has(user));
  }

  allows(users: readonly ByteString[]): boolean {
    if (this.open(users)) return true;
    this.refused ??= { users };
    return false;
  }

  knows(password: Password): boolean {
    if (this.#given.has(`${password.scheme} ${password.value}`)) return true;
    this.refused ??= { password };
    return false;
  }

  /** Asks for a user's name (where the format has users) and password. */
  async ask(users: readonly ByteString[], passwords: ReadonlyMap<ByteString, Password>): Promise<Answer> {
    let user = '';
    if (!users.includes('')) {
      const name = await this.#line('Enter username: ', false);
      if (typeof name === 'string') return name as Answer;
      user = name.text;
    }
    // Somebody who may not, or does not exist, takes as long to be refused as another.
    const known = users.includes(user) ? passwords.get(user) : undefined;
    const [other = NOBODYS] = passwords.values();
    const answer = await this.#password(known ?? other, known !== undefined);
    if (answer === 'right') this.#proved.add(user);
    return answer;
  }

  async askPassword(password: Password): Promise<Answer> {
    const key = `${password.scheme} ${password.value}`;
    if (this.#given.has(key)) return 'right';
    const answer = await this.#password(password);
    if (answer === 'right') this.#given.add(key);
    return answer;
  }

  async #password(password: Password, counts = true): Promise<Answer> {
    const typed = await this.#line('Enter password: ', true);
    if (typeof typed === 'string') return typed as Answer;
    const right = checkPassword(password, typed.text) && counts;
    if (right) this.#attempts.succeeded();
    else this.#attempts.failed(performance.now());
    return right ? 'right' : 'wrong';
  }

  async #line(
    words: string,
    secret: boolean,
  ): Promise<{ text: ByteString } | Exclude<Answer, 'right' | 'wrong'>> {
    this.below('');
    const until = performance.now() + this.#attempts.waitUntil(performance.now());
    if (until > performance.now()) this.terminal.write('Too many wrong passwords: wait.\r\n');
    for (let left = until; left > performance.now(); ) {
      // Keys typed meanwhile are dropped.
      const input = await this.terminal.next(left);
      if (input.kind === 'gone') return 'gone';
      if (input.kind === 'time') left = 0;
    }
    const typed = await prompt(this.terminal, words, { secret });
    if (typed.kind === 'line') return { text: editable('').bytes(typed.text) };
    return typed.kind === 'gone' ? 'gone' : 'cancelled';
  }
}
