// What Headgate offers the filters that come with it, by foreign functions.
import { proxy_call_foreign_function } from "../../../sdk-assemblyscript/assembly/abi";
import {
  copyBytes,
  isOk,
  OUT,
  OUT_SIZE,
  resultLength,
  resultStart,
} from "../../../sdk-assemblyscript/assembly/results";
import { encodedLength, encodeUtf8 } from "../../../sdk-assemblyscript/assembly/utf8";

export function foreign(name: string, args: Uint8Array): Uint8Array | null {
  const start = encodeUtf8(name);
  const length = encodedLength();
  const status = proxy_call_foreign_function(start, length, args.dataStart, args.length, OUT, OUT_SIZE);
  return isOk(status) ? copyBytes(resultStart(), resultLength()) : null;
}
