// The SDK's kit beside what Node has for the same: each thing in a compiled guest, many times a call.
import { createHash, generateKeyPairSync, sign, verify } from "node:crypto";
import { gunzipSync, gzipSync } from "node:zlib";
import { KitGuest } from "../../sdk-assemblyscript/test/kit-guest.ts";
import type { MicroBench } from "./runner.ts";

const guest = await KitGuest.create();

function kit(name: string, loop: string, args: readonly (string | Uint8Array)[]): MicroBench {
  return { name: `${name}: kit`, run: (times) => Number(guest.text(loop, args, times)) };
}

function node(name: string, once: () => number): MicroBench {
  return {
    name: `${name}: node`,
    run(times): number {
      let sum = 0;
      for (let i = 0; i < times; i += 1) sum += once();
      return sum;
    },
  };
}

const large = Buffer.alloc(65_536, "The quick brown fox jumps over the lazy dog. ");
const token = Buffer.from("eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJtZSIsImV4cCI6MTcwMDAwMDAwMH0");
const base64 = large.toString("base64");

const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
const rsaSpki = rsa.publicKey.export({ format: "der", type: "spki" });
const rsaSignature = sign("sha256", token, rsa.privateKey);
const ecdsa = generateKeyPairSync("ec", { namedCurve: "P-256" });
const ecdsaSpki = ecdsa.publicKey.export({ format: "der", type: "spki" });
const ecdsaKey = { key: ecdsa.publicKey, dsaEncoding: "ieee-p1363" } as const;
const ecdsaSignature = sign("sha256", token, { key: ecdsa.privateKey, dsaEncoding: "ieee-p1363" });

const PATTERN = "^/api/v[0-9]+/users/([a-z]+)/(?:posts|comments)$";
const PATH = "/api/v1/users/somebody/comments";
const regex = new RegExp(PATTERN, "u");
const AGENT = "(?i)bot|crawler|spider";
const agent =
  "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36";
const agentRegex = /bot|crawler|spider/iu;

const document = Buffer.from(
  JSON.stringify({
    routes: Array.from({ length: 20 }, (_, i) => ({
      prefix: `/p${i}`,
      timeoutMs: i * 100,
      on: true,
    })),
  }),
);

const records = Buffer.from(
  JSON.stringify(
    Array.from({ length: 700 }, (_, i) => ({
      id: i * 7919,
      name: `user ${i % 37}`,
      ok: i % 3 > 0,
    })),
  ),
);
const packed = gzipSync(records);

export const benches: readonly MicroBench[] = [
  kit("SHA-256 of 64 KiB", "loop_sha256", [large]),
  node("SHA-256 of 64 KiB", () => createHash("sha256").update(large).digest()[0] ?? 0),
  kit("SHA-256 of 59 bytes", "loop_sha256", [token]),
  node("SHA-256 of 59 bytes", () => createHash("sha256").update(token).digest()[0] ?? 0),
  kit("RS256, 2048 bits", "loop_rsa", [rsaSpki, token, rsaSignature]),
  node("RS256, 2048 bits", () => Number(verify("sha256", token, rsa.publicKey, rsaSignature))),
  kit("ES256", "loop_ecdsa", [ecdsaSpki, token, ecdsaSignature]),
  node("ES256", () => Number(verify("sha256", token, ecdsaKey, ecdsaSignature))),
  kit("base64 of 64 KiB", "loop_base64", [large]),
  node("base64 of 64 KiB", () => large.toString("base64").length),
  kit("from base64, 64 KiB", "loop_from_base64", [base64]),
  node("from base64, 64 KiB", () => Buffer.from(base64, "base64").length),
  kit("regex on a path", "loop_regex", [PATTERN, PATH]),
  kit("regex on a path, with groups", "loop_regex_find", [PATTERN, PATH]),
  node("regex on a path", () => Number(regex.test(PATH))),
  node("regex on a path, with groups", () => regex.exec(PATH)?.index ?? 0),
  kit("regex not in a user agent", "loop_regex", [AGENT, agent]),
  node("regex not in a user agent", () => Number(agentRegex.test(agent))),
  kit(`JSON of ${document.length} bytes`, "loop_json", [document]),
  node(
    `JSON of ${document.length} bytes`,
    () => Object.keys(JSON.parse(document.toString())).length,
  ),
  kit(`gzip of ${records.length} bytes of JSON`, "loop_gzip", [records]),
  node(`gzip of ${records.length} bytes of JSON`, () => gzipSync(records, { level: 1 }).length),
  kit(`gunzip to ${records.length} bytes of JSON`, "loop_gunzip", [packed]),
  node(`gunzip to ${records.length} bytes of JSON`, () => gunzipSync(packed).length),
];
