// Fingerprints of ClientHellos as Envoy 1.40's tls_inspector logged them.
import { expect, test } from "vitest";
import { readClientHello } from "./client-hello.ts";
import { ja3Of, ja4Of } from "./hello-fingerprint.ts";

const MAX = 16_384;

function messageOf(bytes: Buffer): Buffer {
  const { message } = readClientHello(bytes, MAX);
  if (message === null) throw new Error("it is a ClientHello");
  return message;
}

const recorded: readonly (readonly [string, string, string, string])[] = [
  [
    "TLS 1.3 and 1.2, a name, two protocols",
    "160301010b010001070303efdfe7591fe0d333cecfe1d88fdca73b15abec08868d84e346e4856f5129ec8f20" +
      "efa0f688c75da5748919dcd332bf7a20f1faa595d5f96bf7c89ded1a49bfef8e00041301c02f010000baff01" +
      "0001000000000e000c000009612e6578616d706c65000b000403000102000a00060004001d00170023000000" +
      "10000e000c02683208687474702f312e310016000000170000000d0036003409050906090404030503060308" +
      "070808081a081b081c0809080a080b080408050806040105010601030303010302040205020602002b000504" +
      "03040303002d00020101003300260024001d0020c545c346b998bc9d475131d22d2245f5e8f68fcf2f545a71" +
      "32a8b3e08cdfe95f",
    "ea0232021956e304aa931669aabbaa07",
    "t13d0212h2_c1929292aa6b_8e6e362c5eac",
  ],
  [
    "TLS 1.2 alone",
    "160301007e0100007a0303e161a3aaaa0cdb3846b23ca76fe4e88965b30d5e4e7d2b75eadaaf90ac03959800" +
      "0002c02b0100004fff01000100000b000403000102000a000400020017002300000016000000170000000d00" +
      "2a0028040305030603080708080809080a080b080408050806040105010601030303010302040205020602",
    "7f064683cbb8c4f779c92739e42dd56b",
    "t12i010700_648b5c445417_36cef8aed422",
  ],
  [
    "a protocol that is no word",
    "16030100d9010000d503035b77a950057de930282f2928db0c18bb6cc5e1b125a8dd20a9bb338089f1b68420" +
      "a95e45152dc33eed3a2075b0128ff9e8c0dddedd2641dbebb629be452aefd61b000213010100008a000b0004" +
      "03000102000a00040002001d002300000010000500030201780016000000170000000d002a00280905090609" +
      "0404030503060308070808081a081b081c0809080a080b080408050806040105010601002b0003020304002d" +
      "00020101003300260024001d0020acc061cfb94f1e2fe21ad417b8c33f0f383cfdd60a76809958f27c19b449" +
      "886b",
    "aa4f492197d578b9c150459a4d0421d2",
    "t13i011008_0f2cb44170f4_3217d83565aa",
  ],
];

test.each(recorded)("%s", (_, hello, ja3, ja4) => {
  const message = messageOf(Buffer.from(hello, "hex"));
  expect([ja3Of(message), ja4Of(message)]).toEqual([ja3, ja4]);
});

test("values of GREASE count for nothing", () => {
  const [, hello = "", ja3, ja4] = recorded[1] ?? [];
  // Two suites in place of one, of which the first is 0x1a1a; lengths grow by two.
  const greased = hello
    .replace("160301007e0100007a", "16030100800100007c")
    .replace("0002c02b0100", "00041a1ac02b0100");
  const message = messageOf(Buffer.from(greased, "hex"));
  expect([ja3Of(message), ja4Of(message)]).toEqual([ja3, ja4]);
});

test("a hello without extensions has fingerprints, too", () => {
  const body = `0303${"11".repeat(32)}00${"0002c02b"}0100`;
  const message = messageOf(Buffer.from(`160301002d01000029${body}`, "hex"));
  expect(ja4Of(message)).toMatch(/^t12i010000_[0-9a-f]{12}_000000000000$/);
});
