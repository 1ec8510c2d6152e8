// What asc calls when a check fails: says where, then traps, as every abort must.
import { LogLevel, proxy_log } from "./abi";
import { decimal } from "./text";
import { encodedLength, encodeUtf8 } from "./utf8";

/** Named by `use: abort=` in asconfig.json. The host throws the VM away afterwards. */
// @ts-ignore: decorator
@global
export function headgate_abort(
  message: string | null,
  file: string | null,
  line: u32,
  column: u32,
): void {
  const what = message === null ? "abort" : message;
  const where = file === null ? "" : file;
  // No "(file:1:2)": test runners take such a thing for one of their own stack frames.
  const text = what + " at " + where + " line " + decimal(line) + " column " + decimal(column);
  const start = encodeUtf8(text);
  proxy_log(LogLevel.Critical, start, encodedLength());
  unreachable();
}
