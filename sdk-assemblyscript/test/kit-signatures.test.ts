// Signatures that Node made, and what forgers make of them, in the kit.
import {
  createECDH,
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from "node:crypto";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { KitGuest } from "./kit-guest.ts";

let guest: KitGuest;

beforeAll(async () => {
  guest = await KitGuest.create();
});

const data = Buffer.from("eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJtZSJ9");
const HASHES = [
  [256, "sha256"],
  [384, "sha384"],
  [512, "sha512"],
] as const;

function jwk(key: KeyObject): Record<string, string> {
  return key.export({ format: "jwk" }) as Record<string, string>;
}

function spki(key: KeyObject): Buffer {
  return key.export({ format: "der", type: "spki" });
}

function pem(key: KeyObject): string {
  return key.export({ format: "pem", type: "spki" }).toString();
}

/** Copies of `bytes`, each with one bit turned round. */
function flipped(bytes: Uint8Array, step: number): Uint8Array[] {
  const copies: Uint8Array[] = [];
  for (let i = 0; i < bytes.length * 8; i += step) {
    const copy = Uint8Array.from(bytes);
    copy[i >> 3] = (copy[i >> 3] ?? 0) ^ (1 << (i & 7));
    copies.push(copy);
  }
  return copies;
}

/** `value` in the size of `modulus`, big-endian. */
function bigBytes(value: bigint, length: number): Uint8Array {
  return Uint8Array.from(Buffer.from(value.toString(16).padStart(length * 2, "0"), "hex"));
}

function bigOf(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).toString("hex")}`);
}

describe("RSA", () => {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });

  function takeKey(key: KeyObject): void {
    const { n = "", e = "" } = jwk(key);
    expect(guest.text("rsa_jwk", [n, e])).toBe(`${key.asymmetricKeyDetails?.modulusLength}`);
  }

  test.each(HASHES)(
    "takes what Node signed with SHA of %i bits, in any form of key",
    (bits, hash) => {
      const signature = sign(hash, data, privateKey);
      takeKey(publicKey);
      expect(guest.bool("rsa_verify", [data, signature], bits)).toBe(true);
      expect(guest.text("rsa_spki", [spki(publicKey)])).toBe("2048");
      expect(guest.bool("rsa_verify", [data, signature], bits)).toBe(true);
      expect(guest.text("rsa_pem", [`x\n${pem(publicKey)}y`])).toBe("2048");
      expect(guest.bool("rsa_verify", [data, signature], bits)).toBe(true);
      for (const [other] of HASHES) {
        expect(guest.bool("rsa_verify", [data, signature], other)).toBe(other === bits);
      }
    },
  );

  test.each([
    [1024, 65537],
    [1032, 3],
    [1536, 17],
    [2047, 65537],
    [3072, 0x10001],
    [4096, 0xffffffff],
  ])("takes keys of %i bits with the exponent %i", (modulusLength, publicExponent) => {
    const pair = generateKeyPairSync("rsa", { modulusLength, publicExponent });
    takeKey(pair.publicKey);
    for (const text of ["", "a", "some more text"]) {
      const bytes = Buffer.from(text);
      const signature = sign("sha256", bytes, pair.privateKey);
      expect(guest.bool("rsa_verify", [bytes, signature], 256)).toBe(true);
      expect(guest.bool("rsa_verify", [data, signature], 256)).toBe(false);
    }
  });

  test("refuses every signature that has a bit turned round, is longer or shorter", () => {
    takeKey(publicKey);
    const signature = sign("sha256", data, privateKey);
    for (const other of flipped(signature, 37)) {
      expect(guest.bool("rsa_verify", [data, other], 256)).toBe(false);
    }
    for (const other of flipped(data, 5)) {
      expect(guest.bool("rsa_verify", [other, signature], 256)).toBe(false);
    }
    const wrong = [
      new Uint8Array(0),
      signature.subarray(1),
      signature.subarray(0, 255),
      Uint8Array.of(0, ...signature),
      Uint8Array.of(...signature, 0),
      new Uint8Array(256),
      new Uint8Array(256).fill(255),
      bigBytes(1n, 256),
    ];
    for (const other of wrong) expect(guest.bool("rsa_verify", [data, other], 256)).toBe(false);
    const sha1 = sign("sha1", data, privateKey);
    expect(guest.bool("rsa_verify", [data, sha1], 160)).toBe(false);
  });

  test("refuses the same number above the modulus", () => {
    takeKey(publicKey);
    const modulus = bigOf(Buffer.from(jwk(publicKey)["n"] ?? "", "base64url"));
    // One in so many signatures leaves room for the modulus on top of it.
    for (let i = 0; i < 200; i += 1) {
      const bytes = Buffer.from(`text ${i}`);
      const above = bigOf(sign("sha256", bytes, privateKey)) + modulus;
      if (above >= 1n << 2048n) continue;
      expect(guest.bool("rsa_verify", [bytes, bigBytes(above, 256)], 256)).toBe(false);
      return;
    }
    expect.unreachable("no signature was small enough");
  });

  test("refuses padding that is not the one right form", () => {
    const pair = generateKeyPairSync("rsa", { modulusLength: 1024, publicExponent: 3 });
    takeKey(pair.publicKey);
    const { n = "", d = "" } = jwk(pair.privateKey);
    const [modulus, exponent] = [n, d].map((part) => bigOf(Buffer.from(part, "base64url")));
    const signRaw = (message: Uint8Array): Uint8Array => {
      let [result, base, rest] = [1n, bigOf(message), exponent ?? 0n];
      for (; rest > 0n; rest >>= 1n) {
        if ((rest & 1n) === 1n) result = (result * base) % (modulus ?? 1n);
        base = (base * base) % (modulus ?? 1n);
      }
      return bigBytes(result, 128);
    };
    const digest = createHash("sha256").update(data).digest();
    const info = Buffer.from("3031300d060960864801650304020105000420", "hex");
    const noNull = Buffer.from("302f300b0609608648016503040201" + "0420", "hex");
    const build = (
      head: number[],
      fill: number,
      middle: Uint8Array,
      tail: number[],
    ): Uint8Array => {
      const rest = 128 - head.length - 1 - middle.length - digest.length - tail.length;
      return Uint8Array.of(
        ...head,
        ...new Uint8Array(rest).fill(fill),
        0,
        ...middle,
        ...digest,
        ...tail,
      );
    };
    const right = signRaw(build([0, 1], 255, info, []));
    expect(guest.bool("rsa_verify", [data, right], 256)).toBe(true);
    const forged = [
      build([0, 1], 255, noNull, []),
      build([0, 2], 255, info, []),
      build([0, 0], 255, info, []),
      build([0, 1], 254, info, []),
      build([0, 1], 255, info, [0]),
      // Room for whatever a cube root needs: Bleichenbacher's forgery.
      build(
        [0, 1, 255],
        255,
        info,
        Array.from({ length: 40 }, () => 7),
      ),
      build([0, 1], 255, new Uint8Array(0), []),
    ];
    for (const message of forged) {
      expect(guest.bool("rsa_verify", [data, signRaw(message)], 256)).toBe(false);
    }
  });

  test("refuses what is no key, and never traps on one that is broken", () => {
    const { n = "", e = "" } = jwk(publicKey);
    const encode = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64url");
    const modulus = Uint8Array.from(Buffer.from(n, "base64url"));
    const even = modulus.slice();
    even[255] = (even[255] ?? 0) & 0xfe;
    const wrong: [string, string][] = [
      ["", e],
      [n, ""],
      [`${n}=`, e],
      [n, "AQ"],
      [n, "AAAE"],
      [n, encode(Uint8Array.of(1, 0, 0, 0, 1))],
      [encode(even), e],
      [encode(modulus.subarray(129)), e],
      [encode(Uint8Array.of(0, ...modulus)), e],
      [encode(new Uint8Array(1025).fill(255)), e],
    ];
    for (const key of wrong) expect(guest.text("rsa_jwk", key)).toBeNull();
    const der = spki(publicKey);
    for (let length = 0; length < der.length; length += 1) {
      expect(guest.text("rsa_spki", [der.subarray(0, length)])).toBeNull();
    }
    expect(guest.text("rsa_spki", [Uint8Array.of(...der, 0)])).toBeNull();
    for (const text of [
      "",
      pem(publicKey).replace("END", "AND"),
      pem(publicKey).replace("M", "!"),
    ]) {
      expect(guest.text("rsa_pem", [text])).toBeNull();
    }
    let taken = 0;
    const tail = fc.uint8Array({ maxLength: 60 });
    fc.assert(
      fc.property(fc.nat(der.length - 1), tail, (at, bytes) => {
        const broken = Uint8Array.from(der);
        broken.set(bytes.subarray(0, der.length - at), at);
        if (guest.text("rsa_spki", [broken]) !== null) {
          taken += 1;
          guest.bool("rsa_verify", [data, der.subarray(0, 256)], 256);
        }
      }),
    );
    expect(taken).toBeGreaterThan(0);
  });
});

describe("ECDSA on P-256", () => {
  const P = 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn;
  const N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const options = { dsaEncoding: "ieee-p1363" } as const;

  function takeKey(key: KeyObject): void {
    const { x = "", y = "" } = jwk(key);
    expect(guest.bool("ecdsa_jwk", [x, y])).toBe(true);
  }

  test("takes what Node signed, in any form of key, and refuses it for other data", () => {
    for (let i = 0; i < 20; i += 1) {
      const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
      const bytes = Buffer.from(`text ${i}`);
      const signature = sign("sha256", bytes, { key: pair.privateKey, ...options });
      takeKey(pair.publicKey);
      expect(guest.bool("ecdsa_verify", [bytes, signature])).toBe(true);
      expect(guest.bool("ecdsa_spki", [spki(pair.publicKey)])).toBe(true);
      expect(guest.bool("ecdsa_verify", [bytes, signature])).toBe(true);
      expect(guest.bool("ecdsa_pem", [pem(pair.publicKey)])).toBe(true);
      expect(guest.bool("ecdsa_verify", [bytes, signature])).toBe(true);
      expect(guest.bool("ecdsa_verify", [data, signature])).toBe(false);
    }
  });

  test("answers as Node for small and large keys, whose sums meet themselves and infinity", () => {
    const known: Record<string, string> = {};
    for (const scalar of [1n, 2n, 3n, 5n, 7n, 15n, 16n, 17n, N - 1n, N - 2n, N - 15n, N >> 1n]) {
      const pair = pairOf(scalar);
      const signature = sign("sha256", data, { key: pair, ...options });
      const publicOne = createPublicKey(pair);
      takeKey(publicOne);
      known[scalar.toString()] = `${guest.bool("ecdsa_verify", [data, signature])}`;
      // With s = e and r of a point that the key itself has, the sum is a small multiple of both.
      const e = bigOf(createHash("sha256").update(data).digest());
      const { x = "" } = jwk(publicOne);
      const r = bigOf(Buffer.from(x, "base64url"));
      for (const [one, other] of [
        [r, e],
        [r, r],
        [r, N - e],
        [e % N, e],
        [N - e, e],
      ] as const) {
        const forged = Buffer.concat([bigBytes(one % N, 32), bigBytes(other % N, 32)]);
        const expected = verify("sha256", data, { key: publicOne, ...options }, forged);
        expect(guest.bool("ecdsa_verify", [data, forged])).toBe(expected);
      }
    }
    expect(new Set(Object.values(known))).toEqual(new Set(["true"]));
  });

  test("refuses every signature that has a bit turned round or a number out of range", () => {
    takeKey(publicKey);
    const signature = sign("sha256", data, { key: privateKey, ...options });
    for (const other of flipped(signature, 7)) {
      expect(guest.bool("ecdsa_verify", [data, other])).toBe(false);
    }
    const r = bigOf(signature.subarray(0, 32));
    const s = bigOf(signature.subarray(32));
    const all = (1n << 256n) - 1n;
    const numbers: [bigint, bigint][] = [
      [0n, s],
      [r, 0n],
      [0n, 0n],
      [N, s],
      [r, N],
      [all, s],
      [r, all],
    ];
    numbers.push([1n, 1n], [P, s], [s, r]);
    for (const [one, other] of numbers) {
      const forged = Buffer.concat([bigBytes(one, 32), bigBytes(other, 32)]);
      expect(guest.bool("ecdsa_verify", [data, forged])).toBe(false);
    }
    // The other root is a signature, too.
    const twin = Buffer.concat([bigBytes(r, 32), bigBytes(N - s, 32)]);
    expect(guest.bool("ecdsa_verify", [data, twin])).toBe(true);
    for (const length of [0, 1, 63]) {
      expect(guest.bool("ecdsa_verify", [data, signature.subarray(0, length)])).toBe(false);
    }
    expect(guest.bool("ecdsa_verify", [data, Uint8Array.of(...signature, 0)])).toBe(false);
  });

  test("answers as Node whatever the numbers of a signature are", () => {
    takeKey(publicKey);
    const signature = sign("sha256", data, { key: privateKey, ...options });
    const half = fc.oneof(
      fc
        .constantFrom(signature.subarray(0, 32), signature.subarray(32))
        .map((b) => Uint8Array.from(b)),
      fc.uint8Array({ minLength: 32, maxLength: 32 }),
    );
    fc.assert(
      fc.property(half, half, (one, other) => {
        const bytes = Buffer.concat([one, other]);
        const expected = verify("sha256", data, { key: publicKey, ...options }, bytes);
        expect(guest.bool("ecdsa_verify", [data, bytes])).toBe(expected);
      }),
    );
  });

  test("reads DER's form as Node does", () => {
    takeKey(publicKey);
    for (let i = 0; i < 30; i += 1) {
      const der = sign("sha256", Buffer.from(`${i}`), { key: privateKey, dsaEncoding: "der" });
      const raw = guest.bytes("ecdsa_from_der", [der]) ?? new Uint8Array(0);
      expect(guest.bool("ecdsa_verify", [Buffer.from(`${i}`), raw])).toBe(true);
      for (let length = 0; length < der.length; length += 1) {
        expect(guest.bytes("ecdsa_from_der", [der.subarray(0, length)])).toBeNull();
      }
      expect(guest.bytes("ecdsa_from_der", [Uint8Array.of(...der, 0)])).toBeNull();
    }
    for (const hex of [
      "3006020100020101",
      "300702020001020101",
      "3006020180020101",
      "308006020101020101",
      "308106020101020101",
    ]) {
      expect(guest.bytes("ecdsa_from_der", [Buffer.from(hex, "hex")])).toBeNull();
    }
  });

  test("refuses what is no point of the curve", () => {
    const { x = "", y = "" } = jwk(publicKey);
    const encode = (value: bigint): string =>
      Buffer.from(bigBytes(value, 32)).toString("base64url");
    const [first, second] = [x, y].map((part) => bigOf(Buffer.from(part, "base64url")));
    const wrong: [string, string][] = [
      [y, x],
      [x, encode((second ?? 0n) ^ 1n)],
      [encode((first ?? 0n) ^ 1n), y],
      [encode(0n), encode(0n)],
      [encode(P), y],
      [x, encode((1n << 256n) - 1n)],
      ["", y],
      [x.slice(0, -2), y],
      [`${x}AA`, y],
    ];
    for (const key of wrong) expect(guest.bool("ecdsa_jwk", key)).toBe(false);
    const der = spki(publicKey);
    for (let i = 0; i < der.length; i += 1) {
      const broken = Uint8Array.from(der);
      broken[i] = (broken[i] ?? 0) ^ 4;
      expect(guest.bool("ecdsa_spki", [broken])).toBe(false);
      expect(guest.bool("ecdsa_spki", [der.subarray(0, i)])).toBe(false);
    }
    const other = generateKeyPairSync("ec", { namedCurve: "P-384" });
    expect(guest.bool("ecdsa_pem", [pem(other.publicKey)])).toBe(false);
  });

  /** The private key of this number. */
  function pairOf(scalar: bigint): KeyObject {
    const half = createECDH("prime256v1");
    half.setPrivateKey(Buffer.from(bigBytes(scalar, 32)));
    const point = half.getPublicKey();
    const [x, y, d] = [point.subarray(1, 33), point.subarray(33), half.getPrivateKey()].map(
      (part) => Buffer.from(bigBytes(bigOf(part), 32)).toString("base64url"),
    );
    const key = { kty: "EC", crv: "P-256", x, y, d } as Record<string, string>;
    return createPrivateKey({ key, format: "jwk" });
  }
});
