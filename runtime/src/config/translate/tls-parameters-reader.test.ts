import { afterAll, beforeAll, expect, test } from "vitest";
import { chooseCiphers } from "./cipher-suites.ts";
import { CertificateFiles, downstreamOf, downstreamProblems, upstreamOf } from "./tls-for-test.ts";
import { createSecureContext } from "node:tls";
import { boot, warnings } from "./bootstrap-for-test.ts";
import { chainOf } from "./tls-for-test.ts";
import type { Fields } from "./bootstrap-for-test.ts";

const files = new CertificateFiles();
beforeAll(async () => {
  await files.make("server");
});
afterAll(() => files.remove());

const context = (params: Fields): Fields => {
  return { tls_certificates: [files.pair("server")], tls_params: params };
};

const DEFAULTS =
  "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256:" +
  "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:" +
  "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-CHACHA20-POLY1305:" +
  "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384";

test("without parameters both sides have Envoy's", async () => {
  const common = {
    minVersion: "TLSv1.2",
    cipherSuites: DEFAULTS,
    prefersClientChaCha: true,
    curves: "X25519:P-256",
    signatureAlgorithms: "",
  };
  const downstream = await downstreamOf({ tls_certificates: [files.pair("server")] });
  expect(downstream.context).toMatchObject({ ...common, maxVersion: "TLSv1.3" });
  const upstream = await upstreamOf({});
  expect(upstream.context).toMatchObject({ ...common, maxVersion: "TLSv1.2" });
});

test("versions, ciphers, curves and signature algorithms are OpenSSL's", async () => {
  const params = {
    tls_minimum_protocol_version: "TLSv1_0",
    tls_maximum_protocol_version: "TLSv1_2",
    cipher_suites: ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "AES128-SHA"],
    ecdh_curves: ["secp384r1", "X25519MLKEM768"],
    signature_algorithms: ["ed25519", "RSA-PSS+SHA256"],
  };
  const { context: read } = await downstreamOf(context(params));
  expect(read).toMatchObject({
    minVersion: "TLSv1",
    maxVersion: "TLSv1.2",
    cipherSuites:
      "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256:ECDHE-RSA-AES128-GCM-SHA256:AES128-SHA:@SECLEVEL=0",
    prefersClientChaCha: false,
    curves: "P-384:X25519MLKEM768",
    signatureAlgorithms: "ed25519:RSA-PSS+SHA256",
  });
  const { cipherSuites: ciphers, curves: ecdhCurve, signatureAlgorithms: sigalgs } = read;
  expect(() => createSecureContext({ ciphers, ecdhCurve, sigalgs })).not.toThrow();
});

test("a policy wins over everything, and says what it is not", async () => {
  const params = { compliance_policies: ["FIPS_202205"], cipher_suites: ["NOPE"] };
  const { context: read } = await downstreamOf(context(params));
  expect(read).toMatchObject({ curves: "P-256:P-384", prefersClientChaCha: false });
  expect(read.cipherSuites).not.toContain("CHACHA20");
  expect((await warnings(boot(chainOf(context(params))))).join()).toContain("FIPS module");
});

test("a highest version below the lowest is a warning, as Envoy takes it", async () => {
  const params = {
    tls_minimum_protocol_version: "TLSv1_3",
    tls_maximum_protocol_version: "TLSv1_2",
  };
  const [warning] = await warnings(boot(chainOf(context(params))));
  expect(warning).toContain("found TLSv1.3 as the lowest and TLSv1.2 as the highest version");
});

test.each<[Fields, string]>([
  [
    { cipher_suites: ["AES128-SHA", "NOPE", "ALSO"] },
    ".cipher_suites: found NOPE, ALSO, expected ciphers that BoringSSL and OpenSSL have",
  ],
  [{ cipher_suites: ["TLS_AES_128_GCM_SHA256"] }, "ciphers of TLS 1.3 cannot be chosen"],
  [{ cipher_suites: ["DES-CBC3-SHA"] }, "OpenSSL is built without 3DES"],
  [{ cipher_suites: ["[AES128-SHA"] }, ".cipher_suites: found [ and ] that do not match"],
  [{ cipher_suites: ["-ALL"] }, ".cipher_suites: found no cipher that can be used"],
  [{ ecdh_curves: ["P-224"] }, '.ecdh_curves: found "P-224", expected P-256'],
  [{ signature_algorithms: ["ed448"] }, '.signature_algorithms: found "ed448", expected'],
  [{ signature_algorithms: ["ed25519", "ed25519"] }, 'found "ed25519" twice'],
  [{ compliance_policies: ["CNSA2_202603"] }, "the compliance policy CNSA2_202603 is not"],
])("refuses %j", async (params, words) => {
  const found = await downstreamProblems(context(params));
  expect(found).toHaveLength(1);
  expect(found[0]).toContain(".common_tls_context.tls_params");
  expect(found[0]).toContain(words);
});

/** What Envoy 1.40 offers for these rules, seen in its ClientHello; short names below. */
const orders: readonly (readonly [string, string])[] = [
  ["ALL", "EA128G RA128G EA256G RA256G EC RC EA128 RA128 EA256 RA256 A128G A256G A128 A256"],
  ["HIGH:!aRSA", "EA128G EA256G EC EA128 EA256"],
  ["ECDHE+AESGCM:AES128-SHA:+ECDHE", "A128 EA128G RA128G EA256G RA256G"],
  ["kRSA", "A128G A256G A128 A256"],
  ["AES:-AES256", "EA128G RA128G EA128 RA128 A128G A128"],
  ["PSK-AES128-CBC-SHA:AES128-SHA", "A128"],
  ["TLSv1.2", "EA128G RA128G EA256G RA256G EC RC A128G A256G"],
  ["SSLv3", "EA128 RA128 EA256 RA256 A128 A256"],
  ["ECDSA", "EA128G EA256G EC EA128 EA256"],
  ["ALL:!AES128:AES128-SHA", "EA256G RA256G EC RC EA256 RA256 A256G A256"],
  ["CHACHA20:AESGCM", "EC RC EA128G RA128G EA256G RA256G A128G A256G"],
  ["ECDHE-RSA-AES128-SHA256:RSA", "ECDHE-RSA-AES128-SHA256 A128G A256G A128 A256"],
];

test.each(orders)("BoringSSL's %s means the same ciphers in the same order", (rules, expected) => {
  const chosen = chooseCiphers(rules);
  if (!("names" in chosen)) throw new Error("refused");
  const short = chosen.names.map((name) =>
    name
      .replace(/^ECDHE-ECDSA-CHACHA20-POLY1305$/, "EC")
      .replace(/^ECDHE-RSA-CHACHA20-POLY1305$/, "RC")
      .replace(/^ECDHE-ECDSA-AES(\d+)-SHA$/, "EA$1")
      .replace(/^ECDHE-RSA-AES(\d+)-SHA$/, "RA$1")
      .replace(/^ECDHE-ECDSA-AES(\d+)-GCM-SHA\d+$/, "EA$1G")
      .replace(/^ECDHE-RSA-AES(\d+)-GCM-SHA\d+$/, "RA$1G")
      .replace(/^AES(\d+)-GCM-SHA\d+$/, "A$1G")
      .replace(/^AES(\d+)-SHA$/, "A$1"),
  );
  expect(short.join(" ")).toBe(expected);
  expect(() => createSecureContext({ ciphers: chosen.names.join(":") })).not.toThrow();
});
