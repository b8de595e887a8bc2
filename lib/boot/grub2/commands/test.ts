/** `[` and `test`: GRUB's own evaluation from left to right, without precedence (commands/test.c). */
import { GuestError } from '../../../bytes/errors';
import { type ByteString, printable } from '../../../bytes/text';
import type { FileSystem, FsNode } from '../../../fs/types';
import { walk } from '../../../fs/walk';
import { splitDevice } from '../../guest';
import { seenBy } from '../seen';
import { type CommandHandler, type CommandTable, GRUB_ERROR, type Machine } from './types';

/** Parentheses inside each other. */
const MAX_PARENTHESES = 100;

/**
 * A C number at the start of the text, in 64 bits as GRUB reads it; 0 where there is none.
 * `complaint`: what GRUB remembers as an error, and prints if the test holds all the same.
 */
function unsigned(text: ByteString): { value: bigint; complaint?: ByteString } {
  const number = /^[ \t\r\n]*(0x[0-9a-f]*|0[0-7]+|\d+)/i.exec(text)?.[1];
  if (number === undefined || /^0x$/i.test(number)) return { value: 0n, complaint: 'unrecognized number' };
  // More digits than 64 bits can have.
  if (number.length > 40) return { value: 0xffff_ffff_ffff_ffffn, complaint: 'overflow is detected' };
  const value = BigInt(/^0[0-7]+$/.test(number) ? `0o${number.slice(1)}` : number);
  if (value > 0xffff_ffff_ffff_ffffn)
    return { value: 0xffff_ffff_ffff_ffffn, complaint: 'overflow is detected' };
  return { value };
}

const isDigit = (c: string | undefined): boolean => c !== undefined && c >= '0' && c <= '9';

class Test {
  #at = 0;
  #depth = 0;
  complaint: ByteString | undefined;

  constructor(
    readonly machine: Machine,
    readonly args: readonly ByteString[],
    readonly end: number,
  ) {}

  /** Up to the end or the closing parenthesis. */
  parse(): boolean {
    const { args, machine } = this;
    let or = false;
    let and = true;
    let invert = false;
    const update = (value: boolean) => {
      and = and && value !== invert;
      invert = false;
    };
    while (this.#at < this.end) {
      machine.budget.step();
      const left = args[this.#at]!;
      if (this.#at + 2 < this.end) {
        const value = this.#binary(left, args[this.#at + 1]!, args[this.#at + 2]!);
        if (value !== undefined) {
          update(value);
          this.#at += 3;
          continue;
        }
      }
      if (this.#at + 1 < this.end) {
        const value = this.#unary(left, args[this.#at + 1]!);
        if (value !== undefined) {
          update(value);
          this.#at += 2;
          continue;
        }
      }
      this.#at++;
      switch (left) {
        case ')':
          if (this.#depth > 0) this.#depth--;
          return or || and;
        case '(':
          if (++this.#depth > MAX_PARENTHESES) {
            this.complaint = 'max recursion depth exceeded';
            this.#depth--;
            return or || and;
          }
          update(this.parse());
          break;
        case '!':
          invert = !invert;
          break;
        case '-a':
          break;
        case '-o':
          or = or || and;
          and = true;
          break;
        default:
          update(left !== '');
      }
    }
    return or || and;
  }

  #binary(left: ByteString, operator: ByteString, right: ByteString): boolean | undefined {
    switch (operator) {
      case '=':
      case '==':
        return left === right;
      case '!=':
        return left !== right;
      case '<':
        return left < right;
      case '<=':
        return left <= right;
      case '>':
        return left > right;
      case '>=':
        return left >= right;
      case '-eq':
        return this.#signed(left) === this.#signed(right);
      case '-ne':
        return this.#signed(left) !== this.#signed(right);
      case '-ge':
        return this.#signed(left) >= this.#signed(right);
      case '-gt':
        return this.#signed(left) > this.#signed(right);
      case '-le':
        return this.#signed(left) <= this.#signed(right);
      case '-lt':
        return this.#signed(left) < this.#signed(right);
      case '-pgt':
      case '-plt': {
        const from = this.#afterPrefix(left, right);
        const a = this.#number(left.slice(from));
        const b = this.#number(right.slice(from));
        return operator === '-pgt' ? a > b : a < b;
      }
    }
    if (operator.startsWith('-nt') || operator.startsWith('-ot')) {
      const a = this.#node(left);
      const b = this.#node(right);
      const bias = operator.length > 3 ? this.#signed(operator.slice(3)) : 0;
      const newer = operator.startsWith('-nt');
      if (newer ? a && !b : !a && b) return true;
      if (a?.mtime === undefined || b?.mtime === undefined) return false;
      return newer ? a.mtime + bias > b.mtime : a.mtime + bias < b.mtime;
    }
    return undefined;
  }

  #unary(operator: ByteString, value: ByteString): boolean | undefined {
    switch (operator) {
      case '-d':
        return this.#node(value)?.kind === 'directory';
      case '-e':
        return this.#node(value) !== undefined;
      case '-f': {
        // A symbolic link counts as a file, whatever it points at: GRUB looks at the directory's row only.
        const node = this.#node(value);
        return node !== undefined && node.kind !== 'directory';
      }
      case '-s': {
        const node = this.machine.file(value).found?.node;
        this.complaint = undefined;
        return node !== undefined && node.kind === 'file' && node.size > 0;
      }
      case '-n':
        return value !== '';
      case '-z':
        return value === '';
      default:
        return undefined;
    }
  }

  #number(text: ByteString): bigint {
    const { value, complaint } = unsigned(text);
    this.complaint = complaint ?? this.complaint;
    return value;
  }

  /** GRUB keeps 32 bits. */
  #signed(text: ByteString): number {
    const value = text.startsWith('-') ? -this.#number(text.slice(1)) : this.#number(text);
    return Number(BigInt.asIntN(32, value));
  }

  /** Where the numbers start that `-pgt` compares: behind the common prefix, but not inside a number. */
  #afterPrefix(left: ByteString, right: ByteString): number {
    let i = 0;
    while (i < left.length && left[i] === right[i]) i++;
    this.machine.budget.step(i >> 4);
    i--;
    while (i > 0 && isDigit(left[i])) i--;
    return i + 1;
  }

  #node(name: ByteString): FsNode | undefined {
    const { machine } = this;
    machine.budget.step(1 + (name.length >> 5));
    // Looking at a filesystem clears what GRUB remembered of earlier errors.
    this.complaint = undefined;
    let path = name;
    let fs: FileSystem | undefined;
    try {
      const split = splitDevice(name);
      path = split.path;
      let end = path.length;
      while (end > 0 && path[end - 1] === '/') end--;
      path = path.slice(0, end);
      const volume = split.device === undefined ? machine.root() : machine.guest.device(split.device);
      if (!volume) {
        this.complaint = `disk \`${split.device ?? ''}' not found`;
        return undefined;
      }
      fs = seenBy(machine, volume);
      if (!fs) {
        this.complaint = 'unknown filesystem';
        return undefined;
      }
      // A bare name is one of the root directory; a longer path must be absolute.
      if (!path.startsWith('/') && path.includes('/')) {
        this.complaint = `invalid file name \`${path.slice(0, path.lastIndexOf('/') + 1)}'`;
        return undefined;
      }
      return walk(fs, path, false);
    } catch (error) {
      if (!(error instanceof GuestError)) throw error;
      if (error.code !== 'not-found') machine.warn(`test: ${printable(name)}: ${error.describe()}`);
      // GRUB looks for the name in its directory, and complains only where that does not exist.
      const directory = path.slice(0, path.lastIndexOf('/') + 1);
      if (fs && tryDirectory(fs, directory)) return undefined;
      this.complaint = `file \`${directory}' not found`;
      return undefined;
    }
  }
}

function tryDirectory(fs: FileSystem, path: ByteString): boolean {
  try {
    return walk(fs, path).kind === 'directory';
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    return false;
  }
}

const testCommand: CommandHandler = (machine, args) => {
  const end = args[args.length - 1] === ']' ? args.length - 1 : args.length;
  const test = new Test(machine, args, end);
  // Without arguments this is true, unlike in a shell.
  if (!test.parse()) return GRUB_ERROR.testFailure;
  if (test.complaint !== undefined) machine.leaveError(test.complaint);
  return 0;
};

export const test: CommandTable = { '[': testCommand, test: testCommand };
