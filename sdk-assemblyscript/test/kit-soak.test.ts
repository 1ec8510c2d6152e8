// The kit over and over in one VM: memory stops growing.
import { generateKeyPairSync } from "node:crypto";
import { expect, test } from "vitest";
import { KitGuest } from "./kit-guest.ts";

test("memory is flat over many rounds of everything", async () => {
  const guest = await KitGuest.create();
  const { x = "", y = "" } = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({
    format: "jwk",
  });
  const bytes = Buffer.alloc(2000, "some text ");
  const json = JSON.stringify(
    Array.from({ length: 50 }, (_, i) => ({ [`name ${i}`]: [i / 8, "é"] })),
  );
  const patterns = ["a", "(a|b)*c{2,9}[x-z]+", "(?i)\\w+@\\w+", "(broken", "((a{9}){9}){9}"];

  function round(number: number): number {
    guest.text("regex_compile", [patterns[number % 5] ?? ""]);
    if (number % 5 !== 3) guest.text("regex_find", ["abcabccxyz"], 0);
    const answers = [
      guest.text("json_again", [Buffer.from(json)]),
      guest.text("json_problem", [json.slice(0, number % json.length)]),
      guest.bytes("hmac_sha256", [bytes, bytes]),
      guest.text("base64_encode", [bytes]),
      guest.text("query_again", ["a=1&b=%20&c=é"]),
      guest.text("url_parse", ["https://me@example.com:81/a/../b?c=d#e"]),
      guest.text("set_cookie_parse", ["a=b; Path=/; Max-Age=5"]),
      guest.text("date_parse", ["Sun, 06 Nov 1994 08:49:37 GMT"]),
      guest.text("cidr_contains", ["2001:db8::/32", "2001:db8::1"]),
      guest.bytes("proto_write", [BigInt(number), "text", bytes], 0.5),
    ];
    if (number % 100 === 0) guest.bool("ecdsa_jwk", [x, y]);
    return answers.filter((answer) => answer !== null).length;
  }

  const rounds = (count: number): number => {
    for (let i = 0; i < count; i += 1) expect(round(i)).toBe(10);
    return guest.memoryBytes;
  };
  // Memory grows by doubling, and the largest moment of the mix comes within these rounds: it stayed
  // the same over 18,000 more.
  const plateau = rounds(1800);
  expect(rounds(1800)).toBe(plateau);
});
