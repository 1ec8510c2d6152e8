// JSON web tokens that Node signed, and what is none, in the kit.
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { KitGuest } from "./kit-guest.ts";

let guest: KitGuest;

beforeAll(async () => {
  guest = await KitGuest.create();
});

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
const claims = (token: string, audience = "me"): string | null =>
  guest.text("jwt_claims", [token, audience]);

test("says what header and payload say", () => {
  const header = part({ alg: "RS256", kid: "k1", typ: "JWT" });
  const payload = part({ iss: "them", sub: "you", aud: ["us", "me"] });
  expect(claims(`${header}.${payload}.AAAA`)).toBe("RS256|k1|them|you|true|3");
  expect(claims(`${header}.${payload}.`, "her")).toBe("RS256|k1|them|you|false|0");
  expect(claims(`${part({})}.${part({ aud: "me" })}.`)).toBe("||||true|0");
  expect(claims(`${part({ alg: 1 })}.${part({ iss: null, aud: [1, null] })}.`)).toBe("||||false|0");
  expect(claims(`${part({})}.${part({ aud: { me: 1 } })}.`)).toBe("||||false|0");
});

test.each([
  ["", "no parts"],
  ["a", "one part"],
  [`${part({})}.${part({})}`, "two parts"],
  [`${part({})}.${part({})}.AA.AA`, "four parts"],
  [`${part([])}.${part({})}.AAAA`, "a header that is no object"],
  [`${part({})}.${part(1)}.AAAA`, "a payload that is no object"],
  [`${part({})}.${part({})}.A`, "a signature that is no base64url"],
  [`${part({})}=.${part({})}.AAAA`, "padding"],
  [` ${part({})}.${part({})}.AAAA`, "a blank"],
  [`${part({})}..AAAA`, "an empty payload"],
  [
    `${Buffer.from('{"alg":"a","alg":"b"}').toString("base64url")}.${part({})}.AAAA`,
    "a name twice",
  ],
  [`${part({ a: "x".repeat(60_000) })}.${part({})}.AAAA`, "more than 65536 characters"],
])("refuses %.20s: %s", (token) => {
  expect(claims(token)).toBeNull();
});

test.each([
  [{}, 0, true],
  [{ exp: 100 }, 0, true],
  [{ exp: 99 }, 0, false],
  [{ exp: 98 }, 1, false],
  [{ exp: 98 }, 2, true],
  [{ exp: 99.5 }, 0, true],
  [{ nbf: 99 }, 0, true],
  [{ nbf: 100 }, 0, false],
  [{ nbf: 100 }, 1, true],
  [{ exp: "100" }, 0, false],
  [{ exp: null }, 0, false],
  [{ nbf: "0" }, 0, false],
])("%j with %i s of leeway holds at 99 s: %s", (payload, leeway, expected) => {
  const token = `${part({})}.${part(payload)}.AAAA`;
  expect(guest.bool("jwt_is_current", [token, 99n], leeway)).toBe(expected);
});

test.each(["RS256", "ES256"])("%s that Node signed is verified, and nothing else", (algorithm) => {
  const pair =
    algorithm === "RS256"
      ? generateKeyPairSync("rsa", { modulusLength: 2048 })
      : generateKeyPairSync("ec", { namedCurve: "P-256" });
  const pem = (key: KeyObject): string => key.export({ format: "pem", type: "spki" }).toString();
  const signed = `${part({ alg: algorithm })}.${part({ sub: "me", exp: 1 })}`;
  const key = { key: pair.privateKey, dsaEncoding: "ieee-p1363" } as const;
  const signature = sign("sha256", Buffer.from(signed), key).toString("base64url");
  const verified = (token: string): boolean =>
    guest.bool("jwt_verify", [token, pem(pair.publicKey)]);
  expect(verified(`${signed}.${signature}`)).toBe(true);
  const other = `${part({ alg: algorithm })}.${part({ sub: "you", exp: 1 })}`;
  expect(verified(`${other}.${signature}`)).toBe(false);
  expect(verified(`${signed}.`)).toBe(false);
});

test("any text is a token or is not, and never a trap", () => {
  const piece = fc.constantFrom(
    part({}),
    part({ a: 1 }),
    part({}),
    part([]),
    "",
    "AA",
    "A",
    "é",
    ".",
  );
  let taken = 0;
  fc.assert(
    fc.property(fc.array(piece, { minLength: 2, maxLength: 4 }), (all) => {
      const token = all.join(".");
      const isToken = claims(token) !== null;
      taken += isToken ? 1 : 0;
      expect(isToken && !/^[\w-]{3,}\.[\w-]{3,}\.[\w-]*$/.test(token)).toBe(false);
    }),
    { numRuns: 3000 },
  );
  expect(taken).toBeGreaterThan(5);
});
