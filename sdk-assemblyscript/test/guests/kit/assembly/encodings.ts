// Text forms of bytes, behind exports.
import { base64, base64Url, fromBase64, fromBase64Url } from "@headgate/sdk-assemblyscript/kit/base64";
import {
  indexOfBytes,
  isSameSecret,
  isSameSecretText,
  utf8Bytes,
  utf8Text,
  utf8TextStrictly,
} from "@headgate/sdk-assemblyscript/kit/bytes";
import { fromHex, hex } from "@headgate/sdk-assemblyscript/kit/hex";
import {
  decodePercent,
  decodePercentStrictly,
  encodePercent,
} from "@headgate/sdk-assemblyscript/kit/percent";
import { bytesOf, giveBool, giveBytes, giveText, textOf } from "./exchange";

export function base64_encode(): usize {
  return giveText(base64(bytesOf(0)));
}

export function base64_encode_url(): usize {
  return giveText(base64Url(bytesOf(0)));
}

export function base64_decode(): usize {
  return giveBytes(fromBase64(textOf(0)));
}

export function base64_decode_url(): usize {
  return giveBytes(fromBase64Url(textOf(0)));
}

export function hex_encode(): usize {
  return giveText(hex(bytesOf(0)));
}

export function hex_decode(): usize {
  return giveBytes(fromHex(textOf(0)));
}

export function percent_encode(): usize {
  return giveText(encodePercent(textOf(0)));
}

export function percent_encode_keeping(): usize {
  return giveText(encodePercent(textOf(0), textOf(1)));
}

export function percent_decode(): usize {
  return giveText(decodePercent(textOf(0)));
}

export function percent_decode_strictly(): usize {
  return giveText(decodePercentStrictly(textOf(0)));
}

export function utf8_bytes(): usize {
  return giveBytes(utf8Bytes(textOf(0)));
}

export function utf8_text(): usize {
  return giveText(utf8Text(bytesOf(0)));
}

export function utf8_text_strictly(): usize {
  return giveText(utf8TextStrictly(bytesOf(0)));
}

export function index_of_bytes(from: i32): usize {
  return giveText(indexOfBytes(bytesOf(0), bytesOf(1), from).toString());
}

export function same_secret(): usize {
  return giveBool(isSameSecret(bytesOf(0), bytesOf(1)));
}

export function same_secret_text(): usize {
  return giveBool(isSameSecretText(textOf(0), textOf(1)));
}
