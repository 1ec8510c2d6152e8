// gzip both ways, behind exports.
import { gunzip } from "@headgate/sdk-assemblyscript/kit/gunzip";
import { Gzip, gzip } from "@headgate/sdk-assemblyscript/kit/gzip";
import { bytesOf, giveBytes } from "./exchange";

export function gzip_once(): usize {
  return giveBytes(gzip(bytesOf(0)));
}

/** Three pieces, the second of which is flushed; only what is ready by then when `isCut`. */
export function gzip_pieces(isCut: bool): usize {
  const stream = new Gzip();
  stream.append(bytesOf(0));
  const first = stream.take();
  stream.append(bytesOf(1));
  stream.flush();
  const second = stream.take();
  stream.append(bytesOf(2));
  stream.end();
  stream.append(bytesOf(0));
  stream.flush();
  stream.end();
  const third = stream.take();
  const length = first.length + second.length;
  const all = new Uint8Array(isCut ? length : length + third.length);
  all.set(first);
  all.set(second, first.length);
  if (!isCut) all.set(third, length);
  return giveBytes(all);
}

export function gunzip_once(bytesMax: u32): usize {
  return giveBytes(gunzip(bytesOf(0), bytesMax));
}
