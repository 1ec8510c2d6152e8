// Verdicts on client certificates beside those of Envoy 1.40: the fixture holds what it answered to
// the same certificates under the same validation contexts. "PV": presented and validated; "P":
// let in without; "X": refused. Handshakes are real.
import { createHash, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import {
  makeCertificate,
  makeRevocationList,
  type TestCertificate,
} from "../../test/certificates.ts";
import type { SubjectAltNameMatchConfig, TlsValidationConfig } from "../config/tls-config.ts";
import type { TlsSession } from "../engine/tls.ts";
import { PeerValidator, trustOptions, type PeerVerdict } from "./peer-validation.ts";
import { coversHost } from "./san-matcher.ts";
import { emptyValidation as none } from "./server-tls-for-test.ts";
import { sessionOfClient } from "./session-for-test.ts";

const NOW_MS = Date.UTC(2026, 0, 1);
const past = { notBefore: new Date("2020-01-01"), notAfter: new Date("2021-01-01") };
const future = { notBefore: new Date("2090-01-01") };

type Clients = Record<string, { readonly made: TestCertificate; readonly sends: string }>;

const clients: Clients = {};
let contexts: Readonly<Record<string, TlsValidationConfig>>;
let ca: TestCertificate;
let server: TestCertificate;
/** By client and what OpenSSL trusts. */
const sessions = new Map<string, TlsSession>();

const file = new URL("fixtures/verdicts-of-envoy.json", import.meta.url);
const recorded = JSON.parse(readFileSync(file, "utf8")) as Readonly<
  Record<string, Readonly<Record<string, string>>>
>;

beforeAll(async () => {
  ca = await makeCertificate("ca", { isAuthority: true });
  server = await makeCertificate("server", { issuer: ca });
  const stranger = await makeCertificate("ca2", { isAuthority: true });
  const middle = await makeCertificate("mid", { isAuthority: true, issuer: ca });
  const add = async (name: string, request: Parameters<typeof makeCertificate>[1]) => {
    const made = await makeCertificate(name, {
      issuer: ca,
      dnsNames: [`${name}.example`],
      ...request,
    });
    clients[name] = { made, sends: made.chainPem };
    return made;
  };
  const good = await add("good", {
    dnsNames: ["good.example", "*.wild.example", "Upper.Example"],
    uris: ["spiffe://t/good"],
    ipAddresses: ["10.1.2.3", "2001:db8::1"],
    emails: ["Good@x.y"],
    otherNames: [["1.2.3.4", "otherval"]],
  });
  const viaMiddle = await makeCertificate("viamid", {
    issuer: middle,
    dnsNames: ["viamid.example"],
  });
  clients["mid"] = { made: viaMiddle, sends: viaMiddle.chainPem };
  clients["nochain"] = { made: viaMiddle, sends: viaMiddle.pem };
  const wrongCa = await add("wrongca", { issuer: stranger });
  const self = await makeCertificate("self", { dnsNames: ["good.example"] });
  clients["self"] = { made: self, sends: self.pem };
  await add("expired", past);
  await add("future", future);
  await add("expwrong", { issuer: stranger, ...past });
  const revoked = await add("revoked", {});
  await add("servereku", { usages: ["server"] });
  await add("noeku", { usages: [] });
  const noSan = await add("nosan", { dnsNames: [], subject: "CN=good.example" });
  const crl = await makeRevocationList(ca, [revoked]);
  const middleCrl = await makeRevocationList(middle, []);
  contexts = contextsOf({ ca, middle, good, wrongCa, self, noSan, crl, middleCrl });
}, 30_000);

interface Made {
  readonly ca: TestCertificate;
  readonly middle: TestCertificate;
  readonly good: TestCertificate;
  readonly wrongCa: TestCertificate;
  readonly self: TestCertificate;
  readonly noSan: TestCertificate;
  readonly crl: string;
  readonly middleCrl: string;
}

function contextsOf(m: Made): Readonly<Record<string, TlsValidationConfig>> {
  const trusting: TlsValidationConfig = { ...none, trustedCaPem: m.ca.pem };
  const san = (
    kind: SubjectAltNameMatchConfig["kind"],
    match: SubjectAltNameMatchConfig["match"]["kind"],
    value: string,
    more: { oid?: string; ignoreCase?: boolean } = {},
  ): TlsValidationConfig => {
    const { oid = "", ignoreCase = false } = more;
    const text = ignoreCase ? value.toLowerCase() : value;
    return {
      ...trusting,
      subjectAltNames: [{ kind, oid, match: { kind: match, value: text, ignoreCase } }],
    };
  };
  return {
    ca: trusting,
    mid_ca: { ...none, trustedCaPem: m.middle.pem },
    both: { ...none, trustedCaPem: m.ca.pem + m.middle.pem },
    crl: { ...trusting, crlPem: m.crl },
    crlmid: { ...trusting, crlPem: m.crl + m.middleCrl },
    crlleaf: { ...trusting, crlPem: m.middleCrl, onlyVerifiesLeafCrl: true },
    crlleaf2: { ...trusting, crlPem: m.crl, onlyVerifiesLeafCrl: true },
    allowexp: { ...trusting, allowsExpired: true },
    untrusted: { ...trusting, acceptsUntrusted: true },
    untrusted_san: { ...san("dns", "exact", "good.example"), acceptsUntrusted: true },
    untrusted_hash: { ...none, acceptsUntrusted: true, certificateHashes: [hashOf(m.good)] },
    hash: { ...none, certificateHashes: [hashOf(m.good), hashOf(m.wrongCa)] },
    hashca: { ...trusting, certificateHashes: [hashOf(m.good), hashOf(m.wrongCa)] },
    spki: { ...none, spkiHashes: [spkiOf(m.good)] },
    both_hs: { ...none, spkiHashes: [spkiOf(m.good)], certificateHashes: [hashOf(m.self)] },
    san_dns: san("dns", "exact", "good.example"),
    san_dns_up: san("dns", "exact", "GOOD.example"),
    san_dns_up2: san("dns", "exact", "upper.example"),
    san_dns_up3: san("dns", "exact", "Upper.Example"),
    san_wild: san("dns", "exact", "a.wild.example"),
    san_wild2: san("dns", "exact", "a.b.wild.example"),
    san_wild3: san("dns", "exact", "*.wild.example"),
    san_wild4: san("dns", "suffix", ".wild.example"),
    san_wild5: san("dns", "exact", ".wild.example"),
    san_wild6: san("dns", "exact", "wild.example"),
    san_ic: san("dns", "exact", "GOOD.EXAMPLE", { ignoreCase: true }),
    san_re: san("dns", "regex", "g.*\\.example"),
    san_re2: san("dns", "regex", "g.*"),
    san_re3: san("dns", "regex", "good"),
    san_prefix: san("dns", "prefix", "goo"),
    san_contains: san("dns", "contains", "ood"),
    san_uri: san("uri", "prefix", "spiffe://t/"),
    san_uri_ic: san("uri", "exact", "SPIFFE://t/good"),
    san_ip: san("ip_address", "exact", "10.1.2.3"),
    san_ip6: san("ip_address", "exact", "2001:db8::1"),
    san_ip6b: san("ip_address", "exact", "2001:db8:0::1"),
    san_email: san("email", "exact", "Good@x.y"),
    san_email_ic: san("email", "exact", "good@x.y"),
    san_other: san("other_name", "exact", "otherval", { oid: "1.2.3.4" }),
    san_other2: san("other_name", "exact", "otherval", { oid: "1.2.3.5" }),
    san_hash: { ...san("dns", "exact", "good.example"), certificateHashes: [hashOf(m.noSan)] },
    depth0: { ...trusting, verifyDepthMax: 0 },
    depth1: { ...trusting, verifyDepthMax: 1 },
    depth2: { ...trusting, verifyDepthMax: 2 },
    depth1_mid: { ...none, trustedCaPem: m.middle.pem, verifyDepthMax: 0 },
  };
}

function hashOf({ pem }: TestCertificate): string {
  return createHash("sha256").update(new X509Certificate(pem).raw).digest("hex");
}

function spkiOf({ pem }: TestCertificate): string {
  const key = new X509Certificate(pem).publicKey.export({ type: "spki", format: "der" });
  return createHash("sha256").update(key).digest("base64");
}

async function sessionOf(name: string, config: TlsValidationConfig): Promise<TlsSession> {
  const trust = trustOptions(config);
  const key = JSON.stringify([name, trust]);
  const known = sessions.get(key);
  if (known !== undefined) return known;
  const { made, sends } = clients[name] as Clients[string];
  const session = await sessionOfClient(
    { cert: server.chainPem, key: server.keyPem, ...trust },
    { cert: sends, key: made.keyPem },
  );
  sessions.set(key, session);
  return session;
}

/** In the fixture's words. */
function wordsOf({ isAccepted, isValidated, failure, reason }: PeerVerdict): string {
  const letters = isAccepted ? (isValidated ? "PV" : "P") : "X";
  if (failure === null) return letters;
  if (isAccepted) return `${letters} ${failure}`;
  const words =
    /^TLS_error:\|268435581:SSL routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED:verify cert failed: (.*):TLS_error_end$/.exec(
      reason,
    );
  const short = words?.[1]
    ?.replace("X509_verify_cert: certificate verification error at depth ", "@")
    .replace("certificate revocation check against provided CRLs failed", "CRL");
  return `${letters} ${failure}: ${short}`;
}

describe("judges as Envoy", () => {
  test.each(Object.keys(recorded))("%s", async (context) => {
    const config = contexts[context] as TlsValidationConfig;
    const validator = new PeerValidator(config, "client");
    const verdicts: Record<string, string> = {};
    for (const name of Object.keys(recorded[context] ?? {})) {
      verdicts[name] = wordsOf(validator.judge(await sessionOf(name, config), NOW_MS));
    }
    expect(verdicts).toEqual(recorded[context]);
  });
});

describe("what OpenSSL alone would not say", () => {
  const session = (peer: TestCertificate, verifyError: string): TlsSession => ({
    version: "TLSv1.3",
    cipher: "",
    group: "",
    serverName: "",
    protocol: "",
    isResumed: false,
    verifyError,
    sessionId: "",
    peerCertificate: new X509Certificate(peer.pem),
    localCertificate: null,
  });

  test("an expired certificate with a forged signature is refused where expired ones are not", async () => {
    const impostor = await makeCertificate("ca", { isAuthority: true });
    const forged = await makeCertificate("forged", { issuer: impostor, ...past });
    const config = { ...none, trustedCaPem: ca.pem, allowsExpired: true };
    const validator = new PeerValidator(config, "client");
    const verdict = validator.judge(session(forged, "CERT_HAS_EXPIRED"), NOW_MS);
    expect(verdict.isAccepted).toBe(false);
    const good = await makeCertificate("old", { issuer: ca, ...past });
    expect(validator.judge(session(good, "CERT_HAS_EXPIRED"), NOW_MS).isAccepted).toBe(true);
    // Another error of OpenSSL is never overlooked.
    expect(validator.judge(session(good, "INVALID_PURPOSE"), NOW_MS).reason).toContain(
      "unsupported certificate purpose",
    );
  });

  test("a leaf is no authority, trusted or not", async () => {
    const leafSigner = await makeCertificate("leafsigner", { issuer: ca });
    const byLeaf = await makeCertificate("byleaf", { issuer: leafSigner });
    const validator = new PeerValidator(
      { ...none, trustedCaPem: leafSigner.pem, verifyDepthMax: 5 },
      "client",
    );
    expect(validator.judge(session(byLeaf, ""), NOW_MS).reason).toContain(
      "depth 1: invalid CA certificate",
    );
  });

  test("a certificate of OpenSSL's liking is not looked at again", () => {
    const validator = new PeerValidator({ ...none, trustedCaPem: ca.pem }, "client");
    expect(validator.needsWholeChain).toBe(false);
    const stranger = clients["self"] as Clients[string];
    expect(validator.judge(session(stranger.made, ""), NOW_MS).isValidated).toBe(true);
  });

  test("no certificate and no checks are no failure, and nothing is validated", () => {
    const validator = new PeerValidator(none, "client");
    expect([validator.hasChecks, validator.needsWholeChain]).toEqual([false, false]);
    const verdict = validator.judge(session(server, "DEPTH_ZERO_SELF_SIGNED_CERT"), NOW_MS);
    expect(verdict).toEqual({ isAccepted: true, isValidated: false, failure: null, reason: "" });
    const trusting = new PeerValidator({ ...none, trustedCaPem: ca.pem }, "client");
    const empty = { ...session(server, ""), peerCertificate: null };
    expect(trusting.judge(empty, NOW_MS).isAccepted).toBe(true);
  });

  test.each<[Partial<TlsValidationConfig>, string, string]>([
    // What is asked for when the context does not require a certificate, and when it does.
    [{}, "none", "none"],
    [{ trustedCaPem: "x" }, "requested", "required"],
    [{ acceptsUntrusted: true }, "requested", "required"],
    [{ certificateHashes: ["00"] }, "required", "required"],
    [{ spkiHashes: ["00"], acceptsUntrusted: true }, "requested", "required"],
  ])("%j asks clients for a certificate: %s, %s", (config, usual, required) => {
    const validator = new PeerValidator({ ...none, ...config }, "client");
    expect([validator.demandOnClients(false), validator.demandOnClients(true)]).toEqual([
      usual,
      required,
    ]);
  });

  test("the issuer is the one whose signature counts", async () => {
    const validator = new PeerValidator({ ...none, trustedCaPem: ca.pem }, "client");
    const { peerCertificate } = session(server, "");
    expect(validator.issuerOf(peerCertificate as X509Certificate, NOW_MS)?.subject).toBe("CN=ca");
    const self = (clients["self"] as Clients[string]).made;
    expect(validator.issuerOf(new X509Certificate(self.pem), NOW_MS)).toBe(null);
  });
});

describe("names that a connection asks for", () => {
  const upstream = (config: Partial<TlsValidationConfig>): PeerValidator =>
    new PeerValidator({ ...none, trustedCaPem: ca.pem, ...config }, "server");
  const other: SubjectAltNameMatchConfig = {
    kind: "dns",
    oid: "",
    match: { kind: "exact", value: "other.example", ignoreCase: false },
  };

  // Envoy: clusters with auto_sni_san_validation, auto_san_validation, and both.
  test.each([
    ["good.example", [], "PV"],
    ["X.wild.example", [], "PV"],
    ["bad.example", [], "X fail_verify_san"],
    ["10.1.2.3", [], "X fail_verify_san"],
    ["spiffe://t/good", [], "X fail_verify_san"],
    ["", ["zz.wild.example"], "PV"],
    ["", ["10.1.2.3"], "PV"],
    ["", ["spiffe://t/good"], "PV"],
    ["", ["bad.example"], "X fail_verify_san"],
    ["bad.example", ["10.1.2.3"], "PV"],
  ])("SNI %j, list %j: %s", async (sniToMatch, sanList, expected) => {
    const config = { ...none, trustedCaPem: ca.pem };
    const session = await sessionOf("good", config);
    const verdict = upstream({}).judge(session, NOW_MS, { sniToMatch, sanList });
    expect(wordsOf(verdict)).toMatch(new RegExp(`^${expected}(:|$)`));
  });

  test("the SNI takes the place of the configured names; the list tells what it wanted", async () => {
    const session = await sessionOf("good", { ...none, trustedCaPem: ca.pem });
    const validator = upstream({ subjectAltNames: [other] });
    const bySni = validator.judge(session, NOW_MS, { sniToMatch: "good.example", sanList: [] });
    expect(bySni.isValidated).toBe(true);
    const byList = validator.judge(session, NOW_MS, { sniToMatch: "", sanList: ["a", "b"] });
    expect(wordsOf(byList)).toBe(
      "X fail_verify_san: verify SAN list, expected SANs: [a, b], certificate SANs: " +
        "[good.example, *.wild.example, Upper.Example, spiffe://t/good, 10.1.2.3, 2001:db8::1, " +
        "Good@x.y, otherval]",
    );
  });

  test.each([
    ["a.b", "A.B", true],
    ["*.b.c", "a.b.c", true],
    ["*.b.c", "b.c", false],
    ["*.b.c", "x.a.b.c", false],
    ["f*r.b.c", "foobar.b.c", true],
    ["f*r.b.c", "fr.b.c", true],
    ["f*r.b.c", "f.b.c", false],
    ["**.b.c", "a.b.c", false],
    ["a.*.c", "a.b.c", false],
    ["*", "a", false],
    ["xn--*.b.c", "xn--a.b.c", false],
    ["*.c", "a.c", true],
  ])("%s covers %s: %s", (pattern, host, expected) => {
    expect(coversHost(pattern, host)).toBe(expected);
  });
});
