/** The tree of a parsed script. Words keep what expansion needs to know of their quoting. */
import type { ByteString } from '../../bytes/text';

/** A piece of a word. `text` and `quoted` differ in what backslashes and wildcards mean. */
export type Piece =
  /** Unquoted; backslashes are still in it, and `*` and `?` are wildcards. */
  | { readonly kind: 'text'; readonly text: ByteString }
  /** From quotes, backslashes resolved, nothing in it is special. */
  | { readonly kind: 'quoted'; readonly text: ByteString }
  /** `$name`; unquoted values are split at blanks and may hold wildcards. */
  | { readonly kind: 'variable'; readonly name: ByteString; readonly quoted: boolean }
  /** `$"…"`: variables are replaced when it is used. */
  | { readonly kind: 'gettext'; readonly text: ByteString };

/** A word without any quoting, as it stands, or its pieces. */
export type Word = ByteString | readonly Piece[];

export interface List {
  readonly kind: 'list';
  readonly commands: readonly Command[];
}

export type Command =
  | {
      readonly kind: 'simple';
      readonly words: readonly Word[];
      /** Text between the braces of a block argument. */
      readonly block?: ByteString;
    }
  | {
      readonly kind: 'if';
      readonly condition: List;
      readonly then: List;
      /** An `if` for `elif`. */
      readonly otherwise: List | Command | undefined;
    }
  | { readonly kind: 'for'; readonly name: ByteString; readonly words: readonly Word[]; readonly body: List }
  | { readonly kind: 'while'; readonly until: boolean; readonly condition: List; readonly body: List };

export interface FunctionDefinition {
  readonly name: ByteString;
  readonly body: List;
}
