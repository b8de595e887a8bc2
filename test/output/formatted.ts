import { formatResult, type OutputFormat, type Result } from '../../lib/output/format';

/** A result as a toolstack gets it; of the disk only the name is known. */
export const formatted = (result: Result, format: OutputFormat): Buffer =>
  formatResult(result, { format, operands: ['/disks/guest.img'], image: undefined }, []);
