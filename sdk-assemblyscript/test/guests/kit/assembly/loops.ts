// The same over and over, for bench/micro: what is done once costs more to ask for than to do.
import { base64, fromBase64 } from "@headgate/sdk-assemblyscript/kit/base64";
import { EcdsaKey } from "@headgate/sdk-assemblyscript/kit/ecdsa";
import { gunzip } from "@headgate/sdk-assemblyscript/kit/gunzip";
import { gzip } from "@headgate/sdk-assemblyscript/kit/gzip";
import { parseJson } from "@headgate/sdk-assemblyscript/kit/json";
import { Regex } from "@headgate/sdk-assemblyscript/kit/regex";
import { RsaKey } from "@headgate/sdk-assemblyscript/kit/rsa";
import { Sha256, sha256 } from "@headgate/sdk-assemblyscript/kit/sha256";
import { bytesOf, giveText, textOf } from "./exchange";

export function loop_sha256(times: i32): usize {
  const bytes = bytesOf(0);
  let sum = 0;
  for (let i = 0; i < times; i++) sum += sha256(bytes)[0];
  return giveText(sum.toString());
}

export function loop_base64(times: i32): usize {
  const bytes = bytesOf(0);
  let sum = 0;
  for (let i = 0; i < times; i++) sum += base64(bytes).length;
  return giveText(sum.toString());
}

export function loop_from_base64(times: i32): usize {
  const text = textOf(0);
  let sum = 0;
  for (let i = 0; i < times; i++) sum += fromBase64(text)!.length;
  return giveText(sum.toString());
}

export function loop_regex(times: i32): usize {
  const regex = Regex.compile(textOf(0))!;
  const text = textOf(1);
  let sum = 0;
  for (let i = 0; i < times; i++) sum += regex.test(text) ? 1 : 0;
  return giveText(sum.toString());
}

export function loop_regex_find(times: i32): usize {
  const regex = Regex.compile(textOf(0))!;
  const text = textOf(1);
  let sum = 0;
  for (let i = 0; i < times; i++) {
    const match = regex.find(text);
    sum += match === null ? 0 : match.end();
  }
  return giveText(sum.toString());
}

export function loop_json(times: i32): usize {
  const bytes = bytesOf(0);
  let sum = 0;
  for (let i = 0; i < times; i++) sum += parseJson(bytes)!.length;
  return giveText(sum.toString());
}

export function loop_rsa(times: i32): usize {
  const key = RsaKey.fromSpki(bytesOf(0))!;
  const data = bytesOf(1);
  const signature = bytesOf(2);
  let sum = 0;
  for (let i = 0; i < times; i++) sum += key.verify(new Sha256(), data, signature) ? 1 : 0;
  return giveText(sum.toString());
}

export function loop_ecdsa(times: i32): usize {
  const key = EcdsaKey.fromSpki(bytesOf(0))!;
  const data = bytesOf(1);
  const signature = bytesOf(2);
  let sum = 0;
  for (let i = 0; i < times; i++) sum += key.verify(data, signature) ? 1 : 0;
  return giveText(sum.toString());
}

export function loop_gzip(times: i32): usize {
  const bytes = bytesOf(0);
  let sum = 0;
  for (let i = 0; i < times; i++) sum += gzip(bytes).length;
  return giveText(sum.toString());
}

export function loop_gunzip(times: i32): usize {
  const bytes = bytesOf(0);
  let sum = 0;
  for (let i = 0; i < times; i++) sum += gunzip(bytes, 1 << 20)!.length;
  return giveText(sum.toString());
}
