// Text in the guest: the SDK's decoder and encoder against those of the platform.
import { beforeAll, expect, test } from "vitest";
import { compileGuest, MiniHost } from "./mini-host.ts";

let host: MiniHost;

beforeAll(async () => {
  host = new MiniHost(await compileGuest("probe", "debug"));
});

function decodeInGuest(bytes: Uint8Array): string {
  host.properties.delete("output");
  host.setProperty("input", bytes);
  host.call("probe_decode");
  return Buffer.from(host.properties.get("output") ?? []).toString("utf16le");
}

function decodeHere(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}

test.each([
  ["the empty text", ""],
  ["bytes after a lone lead byte", "6162ff6364"],
  ["an overlong slash", "c0af"],
  ["latin1 in the middle", "61e9626364"],
  ["a surrogate", "eda080"],
  ["what is past U+10FFFF", "f4908080"],
  ["a cut four-byte form", "f09f98"],
  ["a cut form before ASCII", "e282413f"],
  ["an overlong three-byte form", "e08080e09fbf"],
  ["an overlong four-byte form", "f0808080f08fbfbf"],
  ["a byte order mark", "efbbbf61"],
  ["emoji", "f09f98804af09f9880"],
  ["NUL", "610062"],
])("decodes %s as WHATWG says", (_name, hex) => {
  const bytes = Buffer.from(hex, "hex");
  expect(decodeInGuest(bytes)).toBe(decodeHere(bytes));
});

test("decodes every pair of bytes behind a prefix of any alignment as WHATWG says", () => {
  for (let first = 0x7e; first < 256; first += 1) {
    const bytes: number[] = [];
    for (let second = 0; second < 256; second += 1) {
      bytes.push(...Array.from({ length: second & 7 }, () => 0x61), first, second);
    }
    const all = Uint8Array.from(bytes);
    expect(decodeInGuest(all), `first byte ${first}`).toBe(decodeHere(all));
  }
});

test("decodes random bytes as WHATWG says", () => {
  // Only bytes that matter to the decoder, so that long forms come about often.
  const alphabet = [0x41, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xed];
  alphabet.push(0xee, 0xef, 0xf0, 0xf1, 0xf4, 0xf5, 0xff);
  let seed = 12345;
  for (let round = 0; round < 200; round += 1) {
    const bytes = new Uint8Array(64);
    for (let i = 0; i < bytes.length; i += 1) {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      bytes[i] = alphabet[(seed >>> 16) % alphabet.length] ?? 0;
    }
    const seen = { hex: Buffer.from(bytes).toString("hex"), text: decodeInGuest(bytes) };
    expect(seen).toEqual({ hex: seen.hex, text: decodeHere(bytes) });
  }
});

test.each([
  ["ASCII", "plain"],
  ["two and three bytes", "é€\u07ff\u0800\uffff"],
  ["four bytes", "a😀\u{10ffff}"],
  ["a lone high surrogate", "a\ud800b"],
  ["a lone low surrogate", "\udc00"],
  ["a high surrogate at the end", "a\udbff"],
  ["two high surrogates", "\ud800\ud800\udc00"],
])("encodes %s", (_name, text) => {
  host.setProperty("input", Buffer.from(text, "utf16le"));
  host.call("probe_encode");
  expect(host.output()).toBe(new TextDecoder().decode(new TextEncoder().encode(text)));
});
