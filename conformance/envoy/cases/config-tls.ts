// What Envoy takes of TLS contexts, certificates, secrets and transport sockets: only yes or no is
// compared. The certificates are those of certificates.ts.
import type { ConfigCase, JsonObject } from "../case.ts";

const TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3";
const TCP = "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy";
const PROXY = "type.googleapis.com/envoy.extensions.transport_sockets.proxy_protocol.v3";
const RAW = "type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer";

interface Parts {
  readonly down?: JsonObject;
  readonly up?: JsonObject;
  readonly cluster?: JsonObject;
  readonly chain?: JsonObject;
  readonly secrets?: readonly JsonObject[];
}

/** One TCP proxy to one cluster, each with a transport socket or without. */
function bootstrap({ down, up, cluster = {}, chain = {}, secrets = [] }: Parts): string {
  const socket = (context: string, config: JsonObject): JsonObject => ({
    transport_socket: { name: "tls", typed_config: { "@type": `${TLS}.${context}`, ...config } },
  });
  const address = (port: number): JsonObject => ({
    socket_address: { address: "127.0.0.1", port_value: port },
  });
  const proxy = { "@type": TCP, stat_prefix: "t", cluster: "up" };
  const endpoints = [{ lb_endpoints: [{ endpoint: { address: address(9) } }] }];
  const config = {
    node: { id: "n", cluster: "c" },
    static_resources: {
      listeners: [
        {
          name: "main",
          address: address(0),
          filter_chains: [
            {
              filters: [{ name: "tcp", typed_config: proxy }],
              ...(down === undefined ? {} : socket("DownstreamTlsContext", down)),
              ...chain,
            },
          ],
        },
      ],
      clusters: [
        {
          name: "up",
          load_assignment: { cluster_name: "up", endpoints },
          ...(up === undefined ? {} : socket("UpstreamTlsContext", up)),
          ...cluster,
        },
      ],
      secrets,
    },
  };
  return JSON.stringify(config);
}

const file = (name: string): JsonObject => ({ filename: `$DIR/${name}` });
const inline = (text: string): JsonObject => ({ inline_string: text });
const pair = (name: string, key = name): JsonObject => ({
  certificate_chain: file(`${name}-chain.pem`),
  private_key: file(`${key}-key.pem`),
});
const own = [pair("server")];
const certificate = (fields: JsonObject): Parts => ({
  down: { common_tls_context: { tls_certificates: [fields] } },
});
const downstream = (fields: JsonObject): Parts => ({
  down: { common_tls_context: { tls_certificates: own }, ...fields },
});
const common = (fields: JsonObject): Parts => ({
  down: { common_tls_context: { tls_certificates: own, ...fields } },
});
const params = (fields: JsonObject): Parts => common({ tls_params: fields });
const validation = (fields: JsonObject): Parts => common({ validation_context: fields });
const trusted = { trusted_ca: file("authority.pem") };
const trusting = (fields: JsonObject): Parts => validation({ ...trusted, ...fields });
const san = (fields: JsonObject): Parts =>
  trusting({ match_typed_subject_alt_names: [{ matcher: { exact: "a" }, ...fields }] });
const secret = { name: "s", tls_certificate: pair("server") };
const named = (name: string): Parts => ({
  down: { common_tls_context: { tls_certificate_sds_secret_configs: [{ name }] } },
});
const proxyProtocol = (fields: JsonObject): Parts => ({
  cluster: {
    transport_socket: {
      name: "proxy",
      typed_config: { "@type": `${PROXY}.ProxyProtocolUpstreamTransport`, ...fields },
    },
  },
});
const raw = { transport_socket: { name: "raw", typed_config: { "@type": RAW } } };
const keyOf = (bytes: number): JsonObject => ({ keys: [inline("k".repeat(bytes))] });

const CHACHA_GROUP = "[ECDHE-RSA-AES128-GCM-SHA256|ECDHE-RSA-CHACHA20-POLY1305]";
const bad = { name: "u", tls_certificate: pair("server", "client") };
const absent = { path_config_source: { path: "/nowhere/sds.yaml" } };
const sdsConfigs = [{ name: "s", sds_config: absent }];

/** Id, title, configuration. */
const cases: readonly (readonly [string, string, Parts])[] = [
  ["no-certificate", "a server without a certificate", { down: {} }],
  ["client-empty", "a client without anything", { up: {} }],
  ["two", "certificates of both kinds", common({ tls_certificates: [...own, pair("server_ec")] })],
  [
    "client-two",
    "two certificates of a client",
    { up: { common_tls_context: { tls_certificates: [pair("client"), pair("server")] } } },
  ],
  ["other-key", "another certificate's key", certificate(pair("client", "client_bare"))],
  ["other-key-type", "a key of another type", certificate(pair("client", "server"))],
  ["expired", "an expired certificate", certificate(pair("client_expired"))],
  ["no-key", "a chain alone", certificate({ certificate_chain: file("server-chain.pem") })],
  ["missing-file", "a chain that is not there", certificate(pair("nobody", "server"))],
  [
    "bad-chain",
    "a chain that is text",
    certificate({ ...pair("server"), certificate_chain: inline("hello") }),
  ],
  [
    "bad-key",
    "a key that is text",
    certificate({ ...pair("server"), private_key: inline("hello") }),
  ],
  [
    "pkcs12-and-chain",
    "PKCS#12 beside a chain",
    certificate({ ...pair("server"), pkcs12: file("server.pem") }),
  ],
  [
    "ocsp-text",
    "an OCSP response as text",
    certificate({ ...pair("server"), ocsp_staple: inline("x") }),
  ],
  ["must-staple", "must_staple without a response", downstream({ ocsp_staple_policy: 2 })],
  [
    "versions-crossed",
    "a highest version below the lowest",
    params({ tls_minimum_protocol_version: 4, tls_maximum_protocol_version: 3 }),
  ],
  ["old-versions", "TLS 1.0", params({ tls_minimum_protocol_version: "TLSv1_0" })],
  ["ciphers", "ciphers with a group", params({ cipher_suites: [CHACHA_GROUP, "AES128-SHA"] })],
  ["cipher-alias", "ciphers by aliases", params({ cipher_suites: ["ECDHE+AESGCM:!aRSA"] })],
  ["cipher-unknown", "an unknown cipher", params({ cipher_suites: ["AES128-SHA", "NOPE"] })],
  ["cipher-13", "a cipher of TLS 1.3", params({ cipher_suites: ["TLS_AES_128_GCM_SHA256"] })],
  ["cipher-bracket", "a bracket left open", params({ cipher_suites: ["[AES128-SHA"] })],
  ["curves", "curves", params({ ecdh_curves: ["X25519MLKEM768", "P-521"] })],
  ["curve-unknown", "P-224", params({ ecdh_curves: ["P-224"] })],
  ["sigalgs", "signature algorithms", params({ signature_algorithms: ["RSA+SHA256", "ed25519"] })],
  ["sigalg-unknown", "ed448", params({ signature_algorithms: ["ed448"] })],
  ["sigalg-twice", "one twice", params({ signature_algorithms: ["ed25519", "ed25519"] })],
  ["fips", "a compliance policy", params({ compliance_policies: ["FIPS_202205"] })],
  ["alpn-long", "a protocol of 256 bytes", common({ alpn_protocols: ["x".repeat(256)] })],
  ["ca", "an authority", trusting({})],
  ["ca-text", "an authority that is text", validation({ trusted_ca: inline("hello") })],
  ["ca-key", "an authority that is a key", validation({ trusted_ca: file("server-key.pem") })],
  ["crl", "a revocation list", trusting({ crl: file("revoked.pem") })],
  ["crl-alone", "a revocation list alone", validation({ crl: file("revoked.pem") })],
  ["crl-text", "a revocation list that is text", trusting({ crl: inline("hello") })],
  ["san", "a name", san({ san_type: "DNS" })],
  ["san-untyped", "a name without a type", san({})],
  ["san-no-oid", "OTHER_NAME without one", san({ san_type: "OTHER_NAME" })],
  ["san-alone", "names alone", validation({ match_subject_alt_names: [{ exact: "a" }] })],
  ["hash", "a hash alone", validation({ verify_certificate_hash: ["a".repeat(64)] })],
  ["hash-odd", "a hash that is none", trusting({ verify_certificate_hash: ["g".repeat(64)] })],
  ["expired-alone", "expired ones alone", validation({ allow_expired_certificate: true })],
  [
    "auto-san",
    "auto_sni_san_validation without a context",
    { up: { sni: "a", auto_sni_san_validation: true } },
  ],
  ["ticket-keys", "a ticket key", downstream({ session_ticket_keys: keyOf(80) })],
  ["ticket-keys-short", "a short ticket key", downstream({ session_ticket_keys: keyOf(48) })],
  ["key-log", "a key log nowhere", common({ key_log: { path: "/nowhere/log" } })],
  ["secret", "a static secret", { ...named("s"), secrets: [secret] }],
  ["secret-unknown", "an unknown static secret", { ...named("t"), secrets: [secret] }],
  ["secret-unused", "a bad secret that nobody uses", { ...common({}), secrets: [bad] }],
  ["secret-typeless", "a secret without a type", { ...common({}), secrets: [{ name: "e" }] }],
  [
    "sds-file",
    "SDS from a file that is not there",
    { down: { common_tls_context: { tls_certificate_sds_secret_configs: sdsConfigs } } },
  ],
  [
    "combined-half",
    "a combined context without its secret",
    common({ combined_validation_context: { default_validation_context: trusted } }),
  ],
  [
    "socket-match",
    "a transport socket match",
    { cluster: { transport_socket_matches: [{ name: "m", match: { a: "b" }, ...raw }] } },
  ],
  ["proxy-protocol", "a PROXY header in front", proxyProtocol({ config: { version: 1 }, ...raw })],
  ["proxy-protocol-bare", "a PROXY header in front of nothing", proxyProtocol({})],
];

export const TLS_CONFIG_CASES: readonly ConfigCase[] = cases.map(([id, title, parts]) => ({
  id: `config-tls-${id}`,
  title: `TLS: ${title}`,
  certificates: true,
  yaml: bootstrap(parts),
}));
