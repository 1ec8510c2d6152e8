import { expect, test } from "vitest";
import { type EndAddress, endAddressText } from "../core/connection-info.ts";
import { SeededRandom } from "../core/random.ts";
import { ProxyHeaderState, readProxyHeader, readProxyTlvs } from "./proxy-header.ts";

const { NeedMore, NotFound, Found, Malformed } = ProxyHeaderState;
const SIGNATURE = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");

function v1(line: string): Buffer {
  return Buffer.from(line, "latin1");
}

function v2(versionAndCommand: number, family: number, body: Buffer): Buffer {
  const head = Buffer.from([versionAndCommand, family, body.length >> 8, body.length & 255]);
  return Buffer.concat([SIGNATURE, head, body]);
}

const v4Body = Buffer.from([1, 2, 3, 4, 5, 6, 7, 8, 3, 232, 7, 208]);
const v6Body = Buffer.alloc(36);
v6Body[0] = 0x20;
v6Body[1] = 0x01;
v6Body[15] = 1;
v6Body[31] = 1;
v6Body[33] = 80;
v6Body[35] = 81;
const tlvs = Buffer.from([0xea, 0, 3, 0x61, 0x62, 0x63, 4, 0, 0]);

/** What Envoy 1.40 makes of each of them. */
test.each<[string, Buffer, string | null]>([
  ["v4", v1("PROXY TCP4 1.2.3.4 5.6.7.8 1000 2000\r\n"), "1.2.3.4:1000 5.6.7.8:2000"],
  ["v6", v1("PROXY TCP6 1:2::3 ::1 1000 2000\r\n"), "[1:2::3]:1000 [::1]:2000"],
  ["ports of 0", v1("PROXY TCP4 1.2.3.4 5.6.7.8 0 0\r\n"), "1.2.3.4:0 5.6.7.8:0"],
  ["odd numbers", v1("PROXY TCP4 1.2.3.4 5.6.7.8 0100 +2\r\n"), "1.2.3.4:100 5.6.7.8:2"],
  ["unknown", v1("PROXY UNKNOWN\r\n"), ""],
  ["unknown with more", v1("PROXY UNKNOWN ff 1 2\r\n"), ""],
  ["a port too high", v1("PROXY TCP4 1.2.3.4 5.6.7.8 100000 2000\r\n"), null],
  ["mixed families", v1("PROXY TCP4 1::2 5.6.7.8 1 2\r\n"), null],
  ["a multicast address", v1("PROXY TCP4 224.0.0.1 5.6.7.8 1 2\r\n"), null],
  ["the broadcast address", v1("PROXY TCP4 255.255.255.255 5.6.7.8 1 2\r\n"), null],
  ["no address", v1("PROXY TCP4 0.0.0.0 5.6.7.8 1 2\r\n"), null],
  ["a multicast v6 address", v1("PROXY TCP6 ff02::1 ::1 1 2\r\n"), null],
  ["two spaces", v1("PROXY TCP4  1.2.3.4 5.6.7.8 1 2\r\n"), null],
  ["a word too many", v1("PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n"), null],
  ["a blank at the end", v1("PROXY TCP4 1.2.3.4 5.6.7.8 1 2 \r\n"), "1.2.3.4:1 5.6.7.8:2"],
  ["a word that begins as UNKNOWN", v1("PROXY UNKNOWNS\r\n"), null],
  ["UNKNOWN of 108 bytes", v1(`PROXY UNKNOWN ${"x".repeat(92)}\r\n`), ""],
  ["UNKNOWN of 109 bytes", v1(`PROXY UNKNOWN ${"x".repeat(93)}\r\n`), null],
  ["another protocol", v1("PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\n"), null],
  ["version 2", v2(0x21, 0x11, v4Body), "1.2.3.4:1000 5.6.7.8:2000"],
  ["version 2 of UDP", v2(0x21, 0x12, v4Body), "1.2.3.4:1000 5.6.7.8:2000"],
  [
    "version 2 with TLVs",
    v2(0x21, 0x11, Buffer.concat([v4Body, tlvs])),
    "1.2.3.4:1000 5.6.7.8:2000",
  ],
  ["version 2 of IPv6", v2(0x21, 0x21, v6Body), "[2001::1]:80 [::1]:81"],
  ["version 2, local", v2(0x20, 0x00, Buffer.alloc(0)), ""],
  ["version 2, local with addresses", v2(0x20, 0x11, v4Body), ""],
  ["version 2 of unknown family", v2(0x21, 0x00, Buffer.alloc(0)), null],
  ["version 2 of unix sockets", v2(0x21, 0x31, Buffer.alloc(216, 97)), null],
  ["version 3", v2(0x31, 0x11, v4Body), null],
  ["another command", v2(0x22, 0x11, v4Body), null],
  ["addresses cut short", v2(0x21, 0x11, v4Body.subarray(0, 8)), null],
])("reads %s, split at every byte", (_, bytes, expected) => {
  const whole = Buffer.concat([bytes, Buffer.from("GET / HTTP/1.1\r\n\r\n")]);
  const result = readProxyHeader(whole);
  const { source, destination } = result;
  const isGood = expected !== null;
  const text = (end: EndAddress | null): string =>
    end === null ? "" : endAddressText(end.ip, end.port);
  const addresses = `${text(source)} ${text(destination)}`.trim();
  expect(result.state).toBe(isGood ? Found : Malformed);
  expect(result.length).toBe(isGood ? bytes.length : 0);
  expect(addresses).toBe(expected ?? "");
  // Bad ones are known as such at some byte, and never taken for something else.
  const early = isGood ? [NeedMore] : [NeedMore, Malformed];
  for (let cut = 0; cut < bytes.length; cut += 1) {
    expect(early).toContain(readProxyHeader(whole.subarray(0, cut)).state);
  }
});

test("knows at the first bytes that something is no header", () => {
  for (const text of ["G", "PROXX", "\r\n\r\nGET", "\x16\x03"]) {
    expect(readProxyHeader(v1(text)).state).toBe(NotFound);
  }
});

test("waits for the end of a line no longer than it may be", () => {
  const endless = v1(`PROXY TCP4 ${"1".repeat(200)}`);
  expect(readProxyHeader(endless.subarray(0, 107)).state).toBe(NeedMore);
  expect(readProxyHeader(endless.subarray(0, 108)).state).toBe(Malformed);
});

test("reads TLVs, and none that reach beyond the header", () => {
  expect(readProxyTlvs(tlvs, 0, tlvs.length)).toEqual([
    { type: 0xea, value: Buffer.from("abc") },
    { type: 4, value: Buffer.alloc(0) },
  ]);
  for (const cut of [1, 2, 3, 5, 7, 8]) expect(readProxyTlvs(tlvs, 0, cut)).toBeNull();
});

test("takes random bytes for nothing that they are not", () => {
  const random = new SeededRandom(7);
  const seeds = [v1("PROXY TCP4 1.2.3.4 5.6.7.8 1000 2000\r\n"), v2(0x21, 0x21, v6Body)];
  for (let round = 0; round < 20_000; round += 1) {
    const bytes = Buffer.from(seeds[round % 2] as Buffer);
    for (let change = 0; change < 1 + (round % 4); change += 1) {
      bytes[random.u32() % bytes.length] = random.u32() & 255;
    }
    const header = readProxyHeader(bytes);
    const { length, source } = header;
    expect(length).toBeLessThanOrEqual(header.state === Found ? bytes.length : 0);
    expect(source?.port ?? 0).toBeLessThanOrEqual(0xffff);
  }
});
