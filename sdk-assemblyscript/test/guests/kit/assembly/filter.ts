// The kit behind a request, for proxies: x-input goes through it, and the answer tells what came of it.
import {
  Action,
  Configuration,
  HttpFilter,
  registerFilter,
  RequestHeaders,
  utf8Bytes,
} from "@headgate/sdk-assemblyscript";
import { base64Url, fromBase64Url } from "@headgate/sdk-assemblyscript/kit/base64";
import { Cidr } from "@headgate/sdk-assemblyscript/kit/cidr";
import { Cookies } from "@headgate/sdk-assemblyscript/kit/cookies";
import { gunzip } from "@headgate/sdk-assemblyscript/kit/gunzip";
import { gzip } from "@headgate/sdk-assemblyscript/kit/gzip";
import { hex } from "@headgate/sdk-assemblyscript/kit/hex";
import { hmacSha256 } from "@headgate/sdk-assemblyscript/kit/hmac";
import { httpDate } from "@headgate/sdk-assemblyscript/kit/http-date";
import { jsonProblem, parseJson } from "@headgate/sdk-assemblyscript/kit/json";
import { JsonWriter } from "@headgate/sdk-assemblyscript/kit/json-writer";
import { decodePercent, encodePercent } from "@headgate/sdk-assemblyscript/kit/percent";
import { Regex } from "@headgate/sdk-assemblyscript/kit/regex";
import { sha1 } from "@headgate/sdk-assemblyscript/kit/sha1";
import { sha256 } from "@headgate/sdk-assemblyscript/kit/sha256";
import { sha512 } from "@headgate/sdk-assemblyscript/kit/sha512";
import { Url } from "@headgate/sdk-assemblyscript/kit/url";

class Config {
  readonly word: Regex | null = Regex.compile("([a-z]+)[^a-z]");
}

class KitFilter extends HttpFilter<Config> {
  override onRequestHeaders(headers: RequestHeaders, endOfStream: bool): Action {
    const value = headers.get("x-input");
    const input = value === null ? "" : value;
    const bytes = utf8Bytes(input);
    const url = Url.parseTarget(headers.path);
    const lines: string[] = [
      hex(sha1(bytes)),
      hex(sha256(bytes)),
      hex(sha512(bytes)),
      hex(hmacSha256(bytes, bytes)),
      base64Url(bytes) + " " + orNone(fromBase64Url(base64Url(bytes))),
      orNone(gunzip(gzip(bytes), 1024)),
      encodePercent(input) + " " + decodePercent(input),
      url === null ? "no URL" : url.normalizedPath() + " " + url.toString(),
      Cookies.parse(input).length.toString(),
      this.matched(input),
      containedIn("10.0.0.0/8", input),
      httpDate(784111777000),
      jsonOf(bytes),
    ];
    return this.respond(200, lines.join("\n") + "\n");
  }

  private matched(input: string): string {
    const word = this.config.word;
    if (word === null) return "no pattern";
    const match = word.find(input);
    return match === null ? "no match" : match.start(1).toString() + " " + match.end(1).toString();
  }
}

function orNone(bytes: Uint8Array | null): string {
  return bytes === null ? "none" : hex(bytes);
}

function containedIn(range: string, input: string): string {
  const cidr = Cidr.parse(range);
  return cidr === null ? "no range" : cidr.containsText(input.substring(input.length - 8)).toString();
}

function jsonOf(bytes: Uint8Array): string {
  const value = parseJson(bytes);
  if (value === null) return jsonProblem();
  const writer = new JsonWriter();
  writer.value(value);
  return writer.toString();
}

export function registerKitFilter(): void {
  registerFilter<Config>("", (source: Configuration) => new Config(), () => new KitFilter());
}
