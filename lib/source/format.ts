import type { Context } from '../bytes/budget';
import type { ByteString } from '../bytes/text';
import type { BlockSource } from './types';

/** Another file that an image names. */
export interface Reference {
  /** `backing file`, `data file`, `parent`, `extent` */
  readonly what: string;
  /** As it stands there. */
  readonly name: ByteString;
  /** What the image says it is, or what its own format implies; undefined: nothing is said. */
  readonly format?: string | undefined;
}

export interface OpenOptions {
  /** An internal snapshot, by name or id. */
  readonly snapshot?: ByteString | undefined;
  /** The disk that a reference means. @throws GuestError `unsupported` when following it is not permitted */
  resolve(reference: Reference): BlockSource;
}

export interface ImageReader {
  /** True when `snapshot` is understood. */
  readonly snapshots?: boolean;
  /**
   * The disk that the image holds.
   * @param file whose `read` is cached (tables), and whose `readOnce` is not (data)
   * @throws GuestError
   */
  open(file: BlockSource, ctx: Context, options: OpenOptions): BlockSource;
  /** The names in the image's head, nothing else of it is read. Absent: the format has none. @throws GuestError */
  references?(file: BlockSource, ctx: Context): Reference[];
}

export interface ImageFormat {
  readonly name: string;
  /** @param head the first 512 bytes, or all there are */
  looksLike(head: Buffer): boolean;
  load(): ImageReader;
}
