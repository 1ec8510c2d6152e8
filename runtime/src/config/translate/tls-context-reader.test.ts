import { createPrivateKey, X509Certificate } from "node:crypto";
import { createSecureContext, rootCertificates } from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fingerprint256, makeRevocationList } from "../../../test/certificates.ts";
import { makeOcspResponse } from "../../../test/ocsp-response.ts";
import { makePkcs12 } from "../../../test/pkcs12.ts";
import { boot, cluster, problems, translate, type, warnings } from "./bootstrap-for-test.ts";
import type { Fields } from "./bootstrap-for-test.ts";
import type { TlsCertificateConfig, TlsValidationConfig } from "../tls-config.ts";
import {
  CertificateFiles,
  CHAIN_TLS,
  chainOf,
  clusterWith,
  downstreamOf,
  downstreamProblems,
  upstreamOf,
  upstreamProblems,
} from "./tls-for-test.ts";

const files = new CertificateFiles();
const NEXT_UPDATE = new Date("2030-02-03T04:05:06Z");
const PASSWORD = "open sesame";

beforeAll(async () => {
  const authority = await files.make("authority", { isAuthority: true });
  const names = { dnsNames: ["A.example", "*.w.example"], uris: ["spiffe://x/a"] };
  await files.make("server", { issuer: authority, ...names });
  await files.make("other", { issuer: authority, subject: "CN=Other.example, O=Test" });
  await files.make("rsa", { issuer: authority, keyType: "rsa" });
  await files.make("expired", { notAfter: new Date("2021-01-01T00:00:00Z") });
  const key = createPrivateKey(files.get("server").keyPem);
  const cipher = { cipher: "aes-256-cbc", passphrase: PASSWORD } as const;
  files.write("locked.key", key.export({ type: "pkcs8", format: "pem", ...cipher }));
  files.write("old.key", key.export({ type: "sec1", format: "pem", ...cipher }));
  files.write("text", "hello");
  files.write("empty", "");
  const stapled = await files.make("stapled", { issuer: authority, isMustStaple: true });
  files.write("stapled.ocsp", makeOcspResponse([stapled], { nextUpdate: NEXT_UPDATE }));
  files.write("timeless.ocsp", makeOcspResponse([stapled], { nextUpdate: null }));
  files.write("two.ocsp", makeOcspResponse([stapled, files.get("server")]));
  files.write("failed.ocsp", makeOcspResponse([], { status: 6 }));
  files.write("none.ocsp", makeOcspResponse([]));
  files.write("server.p12", makePkcs12(files.get("server"), PASSWORD));
  files.write("revoked.crl", await makeRevocationList(authority, [files.get("other")]));
});
afterAll(() => files.remove());

const certificates = (...list: readonly Fields[]): Fields => ({ tls_certificates: list });
const pair = (chain: string, key: string, more: Fields = {}): Fields => {
  return { certificate_chain: files.file(chain), private_key: files.file(key), ...more };
};

async function certificateOf(certificate: Fields): Promise<TlsCertificateConfig> {
  const { context } = await downstreamOf(certificates(certificate));
  const [source] = context.certificates;
  if (source?.kind !== "inline") throw new Error("found no certificate");
  return source.value;
}

describe("certificates", () => {
  test("have a chain, a key in the clear, and the names for SNI", async () => {
    const read = await certificateOf(files.pair("server"));
    expect(read).toMatchObject({
      path: files.path("server.pem"),
      serverNames: ["a.example", "*.w.example"],
      keyType: "ec",
      ocspStaple: null,
      isMustStaple: false,
      pkcs12: null,
    });
    const key = createPrivateKey(read.privateKeyPem);
    expect(new X509Certificate(read.chainPem).checkPrivateKey(key)).toBe(true);
  });

  test("without DNS names are known by their common name", async () => {
    expect((await certificateOf(files.pair("other"))).serverNames).toEqual(["other.example"]);
  });

  test("may be RSA, come inline and from the environment", async () => {
    process.env["HEADGATE_TEST_KEY"] = files.get("rsa").keyPem;
    const read = await certificateOf({
      certificate_chain: { inline_string: files.get("rsa").pem },
      private_key: { environment_variable: "HEADGATE_TEST_KEY" },
    });
    expect([read.keyType, read.path]).toEqual(["rsa", "<inline>"]);
  });

  test.each(["locked.key", "old.key"])("open the encrypted %s", async (name) => {
    const password = { password: { inline_string: PASSWORD } };
    const read = await certificateOf(pair("server.pem", name, password));
    expect(read.privateKeyPem).toContain("BEGIN PRIVATE KEY");
  });

  test("may come as PKCS#12, which workers open themselves", async () => {
    const password = { inline_string: PASSWORD };
    const read = await certificateOf({ pkcs12: files.file("server.p12"), password });
    expect(read).toMatchObject({
      path: files.path("server.p12"),
      privateKeyPem: "",
      passphrase: PASSWORD,
      serverNames: ["a.example", "*.w.example"],
    });
    expect(new X509Certificate(read.chainPem).raw).toEqual(
      new X509Certificate(files.get("server").pem).raw,
    );
    const { pkcs12, passphrase } = read;
    expect(() => createSecureContext({ pfx: pkcs12 as Buffer, passphrase })).not.toThrow();
  });

  test("have an OCSP response, and know until when it holds", async () => {
    const ocsp_staple = files.file("stapled.ocsp");
    const read = await certificateOf({ ...files.pair("stapled"), ocsp_staple });
    expect(read).toMatchObject({ isMustStaple: true, ocspExpiresMs: NEXT_UPDATE.getTime() });
    expect(read.ocspStaple?.length).toBeGreaterThan(0);
    const timeless = { ...files.pair("stapled"), ocsp_staple: files.file("timeless.ocsp") };
    expect((await certificateOf(timeless)).ocspExpiresMs).toBe(0);
  });

  test("that have expired are taken with a warning, as Envoy takes them", async () => {
    const [warning] = await warnings(boot(chainOf(certificates(files.pair("expired")))));
    expect(warning).toContain("the certificate of CN=expired has expired at 2021-01-01");
  });

  test.each<[string, () => Fields, string]>([
    [
      "another's key",
      () => files.pair("server", "other"),
      ".private_key: found the key of another certificate, expected that of CN=server",
    ],
    [
      "a key of another type",
      () => files.pair("server", "rsa"),
      ".private_key: found the key of another certificate, expected that of CN=server",
    ],
    ["no key", () => ({ certificate_chain: files.file("server.pem") }), ".private_key: not set"],
    ["no chain", () => ({ private_key: files.file("server.key") }), ".certificate_chain: not set"],
    [
      "a file that is not there",
      () => pair("none.pem", "server.key"),
      ".certificate_chain.filename: unable to read the file",
    ],
    [
      "an empty file",
      () => pair("empty", "server.key"),
      ".certificate_chain.filename: found nothing in it",
    ],
    [
      "text in place of a certificate",
      () => pair("text", "server.key"),
      ".certificate_chain: found no certificate, expected PEM",
    ],
    [
      "text in place of a key",
      () => pair("server.pem", "text"),
      ".private_key: found no private key that can be read, expected PEM",
    ],
    [
      "an encrypted key without its password",
      () => pair("server.pem", "locked.key"),
      ".private_key: found an encrypted private key, expected its password",
    ],
    [
      "an encrypted key with another password",
      () => pair("server.pem", "old.key", { password: { inline_string: "no" } }),
      ".password: the password does not open the private key",
    ],
    [
      "PKCS#12 that is none",
      () => ({ pkcs12: files.file("text") }),
      ".pkcs12: cannot read PKCS#12",
    ],
    [
      "PKCS#12 beside a chain",
      () => ({ ...files.pair("server"), pkcs12: files.file("text") }),
      ".certificate_chain: found it beside pkcs12",
    ],
    [
      "PKCS#12 and another password",
      () => ({ pkcs12: files.file("server.p12"), password: { inline_string: "no" } }),
      ".pkcs12: the password does not open the PKCS#12 file",
    ],
    [
      "no OCSP response that they must have",
      () => files.pair("stapled"),
      ".ocsp_staple: not set: the certificate says that it must be stapled",
    ],
    [
      "an OCSP response for another",
      () => ({ ...files.pair("server"), ocsp_staple: files.file("stapled.ocsp") }),
      ".ocsp_staple: found an OCSP response for another certificate",
    ],
    [
      "an OCSP response for two",
      () => ({ ...files.pair("stapled"), ocsp_staple: files.file("two.ocsp") }),
      ".ocsp_staple: found an OCSP response for more than one certificate",
    ],
    [
      "an OCSP response that says no",
      () => ({ ...files.pair("stapled"), ocsp_staple: files.file("failed.ocsp") }),
      ".ocsp_staple: found an OCSP response of status 6",
    ],
    [
      "an OCSP response for nobody",
      () => ({ ...files.pair("stapled"), ocsp_staple: files.file("none.ocsp") }),
      ".ocsp_staple: found an OCSP response without an answer",
    ],
    [
      "an OCSP response that is none",
      () => ({ ...files.pair("server"), ocsp_staple: files.file("text") }),
      ".ocsp_staple: found no OCSP response in DER",
    ],
    [
      "a signer in place of a key",
      () => ({ certificate_chain: files.file("server.pem"), private_key_provider: signer }),
      ".private_key_provider: private_key_provider (Node's TLS takes keys, not signers) is not",
    ],
  ])("are refused with %s", async (_, certificate, words) => {
    const found = await downstreamProblems(certificates(certificate()));
    expect(found[0]).toContain(`.common_tls_context.tls_certificates[0]${words}`);
    expect(found.join()).not.toContain("PRIVATE KEY-----");
  });
});

const signer = { provider_name: "x", typed_config: type("google.protobuf.StringValue") };

test("no mistake with a key or a password shows it", async () => {
  const { keyPem } = files.get("server");
  const secret = (keyPem.split("\n")[1] as string).slice(0, 20);
  const key = (private_key: unknown, more: Fields = {}): Fields => {
    return { certificate_chain: files.file("server.pem"), private_key, ...more };
  };
  const mistakes: readonly Fields[] = [
    key(keyPem),
    key([keyPem]),
    key({ inline_bytes: keyPem }),
    key({ inline_bytes: `!${secret}` }),
    key({ filename: keyPem }),
    key({ environment_variable: keyPem }),
    key({ inline_string: keyPem.slice(0, 100) }),
    key({ specifier: keyPem }),
    key({ [keyPem]: 1 }),
    key({ filename: keyPem, inline_string: keyPem }),
    key({ inline_string: keyPem }, { password: secret }),
    key(files.file("locked.key"), { password: { inline_string: secret } }),
  ];
  for (const mistake of mistakes) {
    const found = await downstreamProblems(certificates(mistake));
    expect(found.length).toBeGreaterThan(0);
    expect(found.join("\n")).not.toContain(secret);
  }
  const tickets = { session_ticket_keys: { keys: [secret] } };
  const found = await downstreamProblems(certificates(files.pair("server")), tickets);
  expect(found.join("\n")).toContain("found [redacted], expected");
});

describe("validation contexts", () => {
  const validation = (fields: Fields): Fields => {
    return { ...certificates(files.pair("server")), validation_context: fields };
  };
  const authority = (): Fields => ({ trusted_ca: files.file("authority.pem") });

  async function validationOf(fields: Fields): Promise<TlsValidationConfig> {
    const source = (await downstreamOf(validation(fields))).context.validation;
    if (source?.kind !== "inline") throw new Error("found no validation context");
    return source.value;
  }

  test("ask for nothing when nothing stands in them", async () => {
    expect(await validationOf({})).toEqual({
      name: "",
      path: "<inline>",
      trustedCaPem: "",
      crlPem: "",
      onlyVerifiesLeafCrl: false,
      allowsExpired: false,
      acceptsUntrusted: false,
      certificateHashes: [],
      spkiHashes: [],
      subjectAltNames: [],
      verifyDepthMax: 100,
      hidesAuthorities: false,
    });
  });

  test("have authorities, lists, hashes, names and limits", async () => {
    const hash = fingerprint256(files.get("server"));
    const spki = Buffer.alloc(32, 7).toString("base64");
    const exact = (value: string) => ({ kind: "exact", value, ignoreCase: false }) as const;
    const read = await validationOf({
      ...authority(),
      crl: files.file("revoked.crl"),
      only_verify_leaf_cert_crl: true,
      allow_expired_certificate: true,
      trust_chain_verification: "ACCEPT_UNTRUSTED",
      verify_certificate_hash: [hash.toUpperCase().replaceAll(/..(?!$)/g, "$&:")],
      verify_certificate_spki: [spki],
      match_typed_subject_alt_names: [
        { san_type: "DNS", matcher: { exact: "a" } },
        { san_type: "OTHER_NAME", oid: "1.3.6.1", matcher: { exact: "b" } },
      ],
      max_verify_depth: 2,
      suppress_client_ca_list: true,
    });
    expect(read).toMatchObject({
      path: files.path("authority.pem"),
      trustedCaPem: files.get("authority").pem,
      onlyVerifiesLeafCrl: true,
      allowsExpired: true,
      acceptsUntrusted: true,
      certificateHashes: [hash],
      spkiHashes: [spki],
      subjectAltNames: [
        { kind: "dns", oid: "", match: exact("a") },
        { kind: "other_name", oid: "1.3.6.1", match: exact("b") },
      ],
      verifyDepthMax: 2,
      hidesAuthorities: true,
    });
    expect(read.crlPem).toContain("BEGIN X509 CRL");
  });

  test("read names without a type as each of four, unless there are typed ones", async () => {
    const untyped = { match_subject_alt_names: [{ prefix: "a" }] };
    const read = await validationOf({ ...authority(), ...untyped });
    const kinds = read.subjectAltNames.map(({ kind }) => kind);
    expect(kinds).toEqual(["dns", "uri", "email", "ip_address"]);
    const typed = { match_typed_subject_alt_names: [{ san_type: "URI", matcher: { exact: "b" } }] };
    const both = await validationOf({ ...authority(), ...untyped, ...typed });
    expect(both.subjectAltNames.map(({ kind }) => kind)).toEqual(["uri"]);
  });

  test("may trust whom the system trusts", async () => {
    const { trustedCaPem } = await validationOf({ system_root_certs: {} }).catch(() => ({
      // A machine without certificates refuses it in words, which is as well.
      trustedCaPem: rootCertificates[0] as string,
    }));
    expect(trustedCaPem).toContain("BEGIN CERTIFICATE");
  });

  test.each<[string, () => Fields, string]>([
    ["a CA that is none", () => ({ trusted_ca: files.file("text") }), ".trusted_ca: found no cert"],
    [
      "a CA that is a key",
      () => ({ trusted_ca: files.file("other.key") }),
      ".trusted_ca: found no",
    ],
    [
      "a CA that is not there",
      () => ({ trusted_ca: files.file("x") }),
      ".trusted_ca.filename: una",
    ],
    ["lists without a CA", () => ({ crl: files.file("revoked.crl") }), ".crl: found it without"],
    [
      "a list that is none",
      () => ({ ...authority(), crl: files.file("text") }),
      ".crl: found no revocation list",
    ],
    [
      "names without a CA",
      () => ({ match_subject_alt_names: [{ exact: "a" }] }),
      ".match_subject_alt_names: SAN-based verification of peer certificates without trusted CA",
    ],
    [
      "expired ones without a CA",
      () => ({ allow_expired_certificate: true }),
      ".allow_expired_certificate: Certificate validity period is always ignored",
    ],
    [
      "a hash that is none",
      () => ({ verify_certificate_hash: ["g".repeat(64)] }),
      `.verify_certificate_hash: found "${"g".repeat(64)}", expected SHA-256 as hex`,
    ],
    [
      "a key's hash that is none",
      () => ({ verify_certificate_spki: ["!".repeat(44)] }),
      `.verify_certificate_spki: found "${"!".repeat(44)}", expected SHA-256 as base64`,
    ],
    [
      "an object identifier that is none",
      () => ({
        ...authority(),
        match_typed_subject_alt_names: [
          { san_type: "OTHER_NAME", oid: "x", matcher: { exact: "a" } },
        ],
      }),
      '.match_typed_subject_alt_names[0].oid: found "x", expected an object identifier',
    ],
    [
      "a validator of its own",
      () => ({ custom_validator_config: { name: "spiffe", typed_config: signer.typed_config } }),
      ".custom_validator_config: the certificate validator spiffe is not implemented",
    ],
  ])("are refused with %s", async (_, fields, words) => {
    const found = await downstreamProblems(validation(fields()));
    expect(found[0]).toContain(`.common_tls_context.validation_context${words}`);
  });
});

describe("downstream", () => {
  test("has Envoy's defaults", async () => {
    expect(await downstreamOf(certificates(files.pair("server")))).toMatchObject({
      requiresClientCertificate: false,
      sessionTicketKeys: null,
      areSessionTicketsOff: false,
      isStatefulResumptionOff: false,
      sessionTimeoutMs: 7_200_000,
      ocspStaplePolicy: "lenient",
      fullScanOnSniMismatch: false,
      prefersClientCiphers: false,
      handshakeTimeoutMs: 0,
    });
  });

  test("reads its fields and the chain's timeout", async () => {
    const key = "k".repeat(80);
    const parts = chainOf(
      { ...certificates(files.pair("server")), key_log: { path: files.path("keys") } },
      {
        require_client_certificate: true,
        require_sni: true,
        session_ticket_keys: { keys: [{ inline_string: key }] },
        session_timeout: "90.5s",
        disable_stateful_session_resumption: true,
        ocsp_staple_policy: "STRICT_STAPLING",
        full_scan_certs_on_sni_mismatch: true,
        prefer_client_ciphers: true,
      },
    );
    const chain = { ...parts.chain, transport_socket_connect_timeout: "3s" };
    const { snapshot } = await translate(boot({ chain }));
    expect(snapshot.listeners[0]?.filterChains[0]?.tls).toMatchObject({
      requiresClientCertificate: true,
      sessionTicketKeys: { kind: "inline", value: [Buffer.from(key)] },
      sessionTimeoutMs: 90_500,
      isStatefulResumptionOff: true,
      ocspStaplePolicy: "strict",
      fullScanOnSniMismatch: true,
      prefersClientCiphers: true,
      handshakeTimeoutMs: 3000,
      context: { keyLog: { path: files.path("keys"), localCidrs: null, remoteCidrs: null } },
    });
  });

  test("warns of clients that need no certificate although one would be looked at", async () => {
    const validation_context = { trusted_ca: files.file("authority.pem") };
    const common = { ...certificates(files.pair("server")), validation_context };
    const [warning] = await warnings(boot(chainOf(common)));
    expect(warning).toContain(".require_client_certificate: not set: clients are let in without");
    const said = chainOf(common, { require_client_certificate: false });
    expect(await warnings(boot(said))).toEqual([]);
    const unchecked = certificates(files.pair("server"));
    const [other] = await warnings(boot(chainOf(unchecked, { require_client_certificate: true })));
    expect(other).toContain(".require_client_certificate: has no effect without a validation");
    const sni = (await warnings(boot(chainOf(unchecked, { require_sni: true })))).join("\n");
    expect(sni).toContain(".require_sni: has no effect, as in Envoy");
  });

  test("offers no HTTP/2 to a connection manager, and says so", async () => {
    const common = { ...certificates(files.pair("server")), alpn_protocols: ["h2,http/1.1"] };
    expect((await downstreamOf(common)).context.alpnProtocols).toEqual(["http/1.1"]);
    const [warning] = await warnings(boot(chainOf(common)));
    expect(warning).toContain("alpn_protocols: h2 is not offered");
    const only = { ...common, alpn_protocols: ["h2"] };
    expect((await downstreamProblems(only))[0]).toContain("HTTP/2, the only protocol, is not");
  });

  test.each<[string, () => Fields, Fields, string]>([
    ["no certificate", () => ({}), {}, ": No TLS certificates found for server context"],
    [
      "certificates of both kinds",
      () => ({ ...certificates(files.pair("server")), tls_certificate_sds_secret_configs: [sds] }),
      {},
      ".tls_certificate_sds_secret_configs: SDS and non-SDS TLS certificates may not be mixed",
    ],
    [
      "a ticket key of another size",
      () => certificates(files.pair("server")),
      { session_ticket_keys: { keys: [{ inline_string: "short" }] } },
      ".session_ticket_keys.keys[0]: found 5 bytes, expected 80",
    ],
    [
      "a policy that wants what is not there",
      () => certificates(files.pair("server")),
      { ocsp_staple_policy: "MUST_STAPLE" },
      ".tls_certificates[0].ocsp_staple: not set: ocsp_staple_policy demands it",
    ],
    [
      "a protocol of too long a name",
      () => ({ ...certificates(files.pair("server")), alpn_protocols: ["x".repeat(256)] }),
      {},
      ".alpn_protocols: found a name of more than 255 bytes",
    ],
    [
      "certificates from a provider",
      () => ({ tls_certificate_provider_instance: { instance_name: "x" } }),
      {},
      ".tls_certificate_provider_instance: tls_certificate_provider_instance is not implemented",
    ],
  ])("is refused with %s", async (_, common, more, words) => {
    const found = await downstreamProblems(common(), more);
    expect(found.join("\n")).toContain(words);
  });

  test("is not to be had with the context of the other side", async () => {
    const socket = clusterWith({});
    expect(await problems(boot({ chain: socket }))).toEqual([
      `${CHAIN_TLS.replace(".typed_config", "")}: found envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext, expected that of the other side`,
    ]);
  });
});

const sds = { name: "s", sds_config: { path_config_source: { path: "/dev/null" } } };

describe("upstream", () => {
  test("has Envoy's defaults", async () => {
    expect(await upstreamOf({})).toMatchObject({
      context: { certificates: [], validation: null, alpnProtocols: [], keyLog: null },
      sni: "",
      autoHostSni: false,
      autoSniSanValidation: false,
      sessionKeysMax: 1,
      enforcesRsaKeyUsage: true,
    });
  });

  test("reads its fields", async () => {
    const common = {
      ...certificates(files.pair("server")),
      validation_context: { trusted_ca: files.file("authority.pem") },
    };
    const fields = { sni: "up.example", auto_host_sni: true, auto_sni_san_validation: true };
    const read = await upstreamOf({ common_tls_context: common, ...fields, max_session_keys: 0 });
    expect(read).toMatchObject({
      sni: "up.example",
      autoHostSni: true,
      autoSniSanValidation: true,
      sessionKeysMax: 0,
    });
    expect(read.context.certificates).toHaveLength(1);
  });

  test("has one certificate at most, and a context for what it shall check", async () => {
    const two = certificates(files.pair("server"), files.pair("other"));
    expect((await upstreamProblems({ common_tls_context: two }))[0]).toBe(
      ".common_tls_context.tls_certificates: Multiple TLS certificates are not supported for client contexts",
    );
    expect((await upstreamProblems({ auto_sni_san_validation: true }))[0]).toBe(
      ".auto_sni_san_validation: 'auto_sni_san_validation' was configured without a validation context",
    );
  });
});

describe("transport sockets of a cluster", () => {
  const RAW = { name: "r", typed_config: type(`${SOCKETS}.raw_buffer.v3.RawBuffer`) };
  const proxy = (config: Fields, inner: Fields | null = RAW): Fields => ({
    name: "p",
    typed_config: {
      ...type(`${SOCKETS}.proxy_protocol.v3.ProxyProtocolUpstreamTransport`),
      config,
      ...(inner === null ? {} : { transport_socket: inner }),
    },
  });

  test("are those of matches in their order, and the cluster's own at last", async () => {
    const { snapshot } = await translate(
      boot({
        clusters: [
          cluster({
            ...clusterWith({ sni: "own" }),
            transport_socket_matches: [
              { name: "m", match: { zone: "a", tags: { y: 1, x: [true] } }, transport_socket: RAW },
              { name: "all", transport_socket: clusterWith({ sni: "all" })["transport_socket"] },
            ],
          }),
        ],
      }),
    );
    expect(snapshot.clusters[0]?.transportSockets).toMatchObject([
      {
        name: "m",
        match: { zone: '"a"', tags: '{"x":[true],"y":1}' },
        socket: { kind: "raw_buffer" },
      },
      { name: "all", match: {}, socket: { kind: "tls", tls: { sni: "all" } } },
      { name: "", match: {}, socket: { kind: "tls", tls: { sni: "own" } } },
    ]);
  });

  test("may put a PROXY header in front of others", async () => {
    const tls = clusterWith({ sni: "in" })["transport_socket"] as Fields;
    const config = {
      version: "V2",
      pass_through_tlvs: { match_type: "INCLUDE", tlv_type: [2, 5] },
      added_tlvs: [{ type: 0xe1, value: "aGk=" }],
    };
    const { snapshot } = await translate(
      boot({ clusters: [cluster({ transport_socket: proxy(config, tls) })] }),
    );
    expect(snapshot.clusters[0]?.transportSockets[0]?.socket).toMatchObject({
      kind: "proxy_protocol",
      version: "v2",
      inner: { kind: "tls", tls: { sni: "in" } },
      passThroughTlvs: [2, 5],
      addedTlvs: [{ type: 0xe1, value: new Uint8Array(Buffer.from("hi")) }],
    });
  });

  test("are refused where they cannot be", async () => {
    const of = async (socket: Fields) =>
      await problems(boot({ clusters: [cluster({ transport_socket: socket })] }));
    expect((await of(proxy({}, null)))[0]).toContain(".transport_socket: not set");
    expect((await of(proxy({ added_tlvs: [{ type: 1, format_string: text }] })))[0]).toContain(
      ".added_tlvs[0].format_string: format_string is not implemented by Headgate",
    );
    const other = { name: "x", typed_config: type(`${SOCKETS}.alts.v3.Alts`) };
    expect((await of(other))[0]).toContain(
      `${other.typed_config["@type"].slice(TYPES.length)} is not implemented by Headgate`,
    );
  });
});

const SOCKETS = "envoy.extensions.transport_sockets";
const TYPES = "type.googleapis.com/";
const text = { text_format_source: { inline_string: "x" } };
