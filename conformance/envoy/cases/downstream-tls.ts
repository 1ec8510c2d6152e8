// TLS of clients: which certificate they get, whom the proxy asks for one and believes, versions,
// ALPN, resumption, what logs and x-forwarded-client-cert say.
import { certificateFiles } from "../bootstrap.ts";
import type { Case, Connection, Group, JsonObject, Piece, Site, TlsClient } from "../case.ts";
import { get } from "../case.ts";

const TRUSTED = { trusted_ca: { filename: "$DIR/authority.pem" } };

/** A `DownstreamTlsContext` with these certificates. */
function context(
  names: readonly string[],
  common: JsonObject = {},
  more: JsonObject = {},
): JsonObject {
  const common_tls_context = { tls_certificates: names.map(certificateFiles), ...common };
  return { common_tls_context, ...more };
}

function asking(validation: JsonObject = TRUSTED, more: JsonObject = {}): JsonObject {
  return context(["server"], { validation_context: validation }, more);
}

function typed(kind: string, matcher: JsonObject): JsonObject {
  return { ...TRUSTED, match_typed_subject_alt_names: [{ san_type: kind, matcher }] };
}

const MUST = { require_client_certificate: true };

function to(
  site: string,
  client: TlsClient = {},
  ...send: readonly Piece[]
): readonly Connection[] {
  const tls = { servername: "server.test", ...client };
  return [{ site, tls, send: send.length === 0 ? [get("/")] : send }];
}

/** A client that is turned away: perhaps only after it believed to be through. */
function refused(site: string, client: TlsClient = {}): readonly Connection[] {
  return [
    { site, tls: { servername: "server.test", ...client }, raw: true, send: [{ awaitEnd: true }] },
  ];
}

function one(id: string, title: string, connections: readonly Connection[]): Case {
  return { id: `tls-${id}`, title, connections };
}

const serving: readonly Case[] = [
  one("plain", "a certificate, HTTP through it", to("main")),
  one("tls12", "a client of TLS 1.2", to("main", { maxVersion: "TLSv1.2" })),
  one("only12", "1.3 is not offered: 1.2", to("only12")),
  one(
    "only12-refused",
    "a client of 1.3 only, where 1.2 is the most",
    refused("only12", { minVersion: "TLSv1.3" }),
  ),
  one(
    "only13-refused",
    "a client of 1.2 only, where 1.3 is the least",
    refused("only13", { maxVersion: "TLSv1.2" }),
  ),
  one(
    "cipher",
    "the one cipher that both have",
    to("cipher", { maxVersion: "TLSv1.2", ciphers: "ECDHE-RSA-AES256-GCM-SHA384" }),
  ),
  one(
    "cipher-none",
    "no cipher in common",
    refused("cipher", { maxVersion: "TLSv1.2", ciphers: "ECDHE-RSA-AES128-GCM-SHA256" }),
  ),
  one(
    "alpn",
    "ALPN: the proxy's first that the client has",
    to("alpn", { alpn: ["http/1.1", "own"] }),
  ),
  one(
    "alpn-none",
    "ALPN: nothing in common, and the handshake goes on",
    to("alpn", { alpn: ["other"] }),
  ),
  one("alpn-unasked", "ALPN: the client does not ask", to("alpn")),
  one("garbage", "bytes that are no TLS", [
    { site: "main", raw: true, send: ["GET / HTTP/1.1\r\n\r\n", { awaitEnd: true }] },
  ]),
  one("fin", "a client that ends before its ClientHello", [
    { site: "main", raw: true, send: [{ fin: true }, { awaitEnd: true }] },
  ]),
  one("two-requests", "two requests on a connection", [
    {
      site: "main",
      tls: { servername: "server.test" },
      send: [get("/1"), get("/2")],
      responses: 2,
    },
  ]),
  one("tcp", "a TCP proxy behind TLS", [
    {
      site: "tcp",
      tls: { servername: "server.test" },
      raw: true,
      send: ["ping", { awaitText: "pong" }, { fin: true }],
    },
  ]),
  one("proxy-header", "a PROXY header in front of the handshake", [
    {
      site: "proxied",
      before: "PROXY TCP4 192.0.2.7 198.51.100.9 4660 443\r\n",
      tls: { servername: "server.test" },
      send: [get("/")],
    },
  ]),
  one("require-tls", "require_tls is content with TLS", to("required")),
];

const sni: readonly Case[] = [
  one(
    "sni-exact",
    "several certificates: the name itself",
    to("several", { servername: "second.test" }),
  ),
  one("sni-wild", "several certificates: a wildcard", to("several", { servername: "a.wild.test" })),
  one(
    "sni-wild-deep",
    "a wildcard covers one level: the first certificate",
    to("several", { servername: "a.b.wild.test" }),
  ),
  one(
    "sni-else",
    "a name of no certificate: the first",
    to("several", { servername: "else.test" }),
  ),
  one("sni-none", "no name: the first", to("several", { servername: "" })),
  one(
    "sni-chain",
    "each chain has its own certificate",
    to("chains", { servername: "second.test" }),
  ),
  one("sni-chain-none", "no chain has the name", refused("chains", { servername: "else.test" })),
  one(
    "dual-rsa",
    "RSA and EC: a client of RSA only",
    to("dual", { maxVersion: "TLSv1.2", ciphers: "ECDHE-RSA-AES128-GCM-SHA256" }),
  ),
  one(
    "dual-ec",
    "RSA and EC: a client of both gets EC",
    to("dual", {
      maxVersion: "TLSv1.2",
      ciphers: "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256",
    }),
  ),
];

const clients: readonly Case[] = [
  one("mutual", "a client certificate that is trusted", to("mutual", { certificate: "client" })),
  one(
    "mutual-chain",
    "a client certificate with its chain",
    to("mutual", { certificate: "client_middle" }),
  ),
  one(
    "mutual-bare",
    "a client certificate without names",
    to("mutual", { certificate: "client_bare" }),
  ),
  one("mutual-none", "none where one must be", refused("mutual")),
  one(
    "mutual-none-12",
    "none where one must be, TLS 1.2",
    refused("mutual", { maxVersion: "TLSv1.2" }),
  ),
  one(
    "mutual-stranger",
    "of another authority",
    refused("mutual", { certificate: "client_stranger" }),
  ),
  one("mutual-expired", "expired", refused("mutual", { certificate: "client_expired" })),
  one("mutual-optional", "not required, and none is shown", to("optional")),
  one(
    "mutual-optional-shown",
    "not required, and one is shown",
    to("optional", { certificate: "client" }),
  ),
  one(
    "mutual-optional-stranger",
    "not required, and a bad one is shown",
    refused("optional", { certificate: "client_stranger" }),
  ),
  one(
    "mutual-unasked",
    "required without a validation context",
    to("unchecked", { certificate: "client_stranger" }),
  ),
  one(
    "mutual-unasked-none",
    "required without a validation context, and none",
    refused("unchecked"),
  ),
  one(
    "mutual-accept-untrusted",
    "ACCEPT_UNTRUSTED",
    to("untrusted", { certificate: "client_stranger" }),
  ),
  one(
    "mutual-expired-allowed",
    "allow_expired_certificate",
    to("expired", { certificate: "client_expired" }),
  ),
  one("mutual-revoked", "revoked", refused("revoked", { certificate: "client_revoked" })),
  one("mutual-not-revoked", "not revoked", to("revoked", { certificate: "client" })),
  one("mutual-hash", "verify_certificate_hash", to("hash", { certificate: "client" })),
  one(
    "mutual-hash-other",
    "verify_certificate_hash: another",
    refused("hash", { certificate: "client_bare" }),
  ),
  one("mutual-spki", "verify_certificate_spki", to("spki", { certificate: "client" })),
  one("mutual-uri", "SAN of kind URI", to("uri", { certificate: "client" })),
  one(
    "mutual-uri-other",
    "SAN of kind URI: another",
    refused("uri", { certificate: "client_middle" }),
  ),
  one("mutual-dns", "SAN of kind DNS", to("dns", { certificate: "client" })),
  one("mutual-email", "SAN of kind EMAIL", to("email", { certificate: "client" })),
  one("mutual-ip", "SAN of kind IP_ADDRESS", to("ip", { certificate: "client" })),
  one(
    "mutual-ip-other",
    "SAN of kind IP_ADDRESS: none",
    refused("ip", { certificate: "client_bare" }),
  ),
];

const resumption: readonly Case[] = [
  {
    id: "tls-resume-13",
    title: "a session of TLS 1.3 is resumed",
    connections: [...to("main"), ...to("main", { resume: 1 })],
  },
  {
    id: "tls-resume-12",
    title: "a session of TLS 1.2 is resumed",
    connections: [
      ...to("main", { maxVersion: "TLSv1.2" }),
      ...to("main", { maxVersion: "TLSv1.2", resume: 1 }),
    ],
  },
  {
    id: "tls-resume-mutual",
    title: "a resumed session keeps the client's certificate",
    connections: [
      ...to("mutual", { certificate: "client" }),
      ...to("mutual", { certificate: "client", resume: 1 }),
    ],
  },
  {
    id: "tls-resume-off",
    title: "without tickets and sessions nothing is resumed",
    connections: [
      ...to("forgetful", { maxVersion: "TLSv1.2" }),
      ...to("forgetful", { maxVersion: "TLSv1.2", resume: 1 }),
    ],
  },
];

const XFCC = "x-forwarded-client-cert: By=spiffe://forged;Hash=00";

const forwarded: readonly Case[] = [
  one(
    "xfcc-sanitize",
    "the client's own header goes away",
    to("mutual", { certificate: "client" }, get("/", XFCC)),
  ),
  one(
    "xfcc-set",
    "SANITIZE_SET: all details",
    to("xfccset", { certificate: "client" }, get("/", XFCC)),
  ),
  one(
    "xfcc-set-bare",
    "SANITIZE_SET: a certificate without names",
    to("xfccset", { certificate: "client_bare" }),
  ),
  one("xfcc-append", "APPEND_FORWARD", to("xfccappend", { certificate: "client" }, get("/", XFCC))),
  one("xfcc-forward", "FORWARD_ONLY", to("xfccforward", { certificate: "client" }, get("/", XFCC))),
  one("xfcc-none", "SANITIZE_SET without a client certificate", to("xfccnone", {}, get("/", XFCC))),
];

const FORMAT: JsonObject = {
  text_format_source: {
    inline_string: [
      "%RESPONSE_CODE%",
      "%RESPONSE_FLAGS%",
      "%DOWNSTREAM_TLS_VERSION%",
      "%REQUESTED_SERVER_NAME%",
      "%DOWNSTREAM_PEER_SUBJECT%",
      "%DOWNSTREAM_PEER_ISSUER%",
      "%DOWNSTREAM_PEER_SERIAL%",
      "%DOWNSTREAM_PEER_URI_SAN%",
      "%DOWNSTREAM_PEER_DNS_SAN%",
      "%DOWNSTREAM_PEER_FINGERPRINT_256%",
      "%DOWNSTREAM_PEER_CERT_V_START%",
      "%DOWNSTREAM_PEER_CERT_V_END%",
      "%DOWNSTREAM_LOCAL_SUBJECT%",
      "%DOWNSTREAM_TRANSPORT_FAILURE_REASON%\n",
    ].join("|"),
  },
};

function site(tls: JsonObject, more: Site = {}): Site {
  return { tls, logFormat: FORMAT, ...more };
}

function forwards(mode: string, tls: JsonObject): Site {
  const set_current_client_cert_details = {
    subject: true,
    cert: true,
    chain: true,
    dns: true,
    uri: true,
  };
  return site(tls, {
    hcm: { forward_client_cert_details: mode, set_current_client_cert_details },
  });
}

const PARAMS_12 = { tls_params: { tls_maximum_protocol_version: "TLSv1_2" } };
const PARAMS_13 = { tls_params: { tls_minimum_protocol_version: "TLSv1_3" } };
const CIPHER = { tls_params: { cipher_suites: ["ECDHE-RSA-AES256-GCM-SHA384"] } };
const mutual = asking(TRUSTED, MUST);
const inspector = {
  name: "tls",
  typed_config: {
    "@type": "type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector",
  },
};
const proxy = {
  name: "proxy",
  typed_config: {
    "@type":
      "type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol",
  },
};

const sites: Readonly<Record<string, Site>> = {
  main: site(context(["server"])),
  only12: site(context(["server"], PARAMS_12)),
  only13: site(context(["server"], PARAMS_13)),
  cipher: site(context(["server"], CIPHER)),
  alpn: site(context(["server"], { alpn_protocols: ["own", "http/1.1"] })),
  tcp: { tls: context(["server"]), tcp: {} },
  proxied: site(context(["server"]), { listenerFilters: [proxy] }),
  required: site(context(["server"]), {
    virtualHosts: [
      {
        name: "all",
        domains: ["*"],
        require_tls: "ALL",
        routes: [{ match: { prefix: "/" }, route: { cluster: "up" } }],
      },
    ],
  }),
  several: site(context(["server", "second"])),
  dual: site(context(["server", "server_ec"])),
  chains: {
    listenerFilters: [inspector],
    chains: [
      {
        name: "one",
        tls: context(["server"]),
        logFormat: FORMAT,
        match: { server_names: ["server.test"] },
      },
      {
        name: "two",
        tls: context(["second"]),
        logFormat: FORMAT,
        match: { server_names: ["second.test"] },
      },
    ],
  },
  mutual: site(mutual),
  optional: site(asking()),
  unchecked: site(context(["server"], {}, MUST)),
  untrusted: site(asking({ ...TRUSTED, trust_chain_verification: "ACCEPT_UNTRUSTED" }, MUST)),
  expired: site(asking({ ...TRUSTED, allow_expired_certificate: true }, MUST)),
  revoked: site(asking({ ...TRUSTED, crl: { filename: "$DIR/revoked.pem" } }, MUST)),
  hash: site(asking({ verify_certificate_hash: ["$SHA256:client"] }, MUST)),
  spki: site(asking({ verify_certificate_spki: ["$SPKI:client"] }, MUST)),
  uri: site(asking(typed("URI", { prefix: "spiffe://test/cl" }), MUST)),
  dns: site(asking(typed("DNS", { exact: "client.test" }), MUST)),
  email: site(asking(typed("EMAIL", { suffix: "@test" }), MUST)),
  ip: site(asking(typed("IP_ADDRESS", { exact: "10.1.2.3" }), MUST)),
  forgetful: site(
    context(
      ["server"],
      {},
      { disable_stateless_session_resumption: true, disable_stateful_session_resumption: true },
    ),
  ),
  xfccset: forwards("SANITIZE_SET", mutual),
  xfccappend: forwards("APPEND_FORWARD", mutual),
  xfccforward: forwards("FORWARD_ONLY", mutual),
  xfccnone: forwards("SANITIZE_SET", asking()),
};

export const downstreamTls: Group = {
  id: "downstream-tls",
  title: "TLS of clients",
  certificates: true,
  stats: "listener\\.",
  sites,
  cases: [...serving, ...sni, ...clients, ...resumption, ...forwarded].map((each) =>
    each.id === "tls-tcp"
      ? { ...each, streams: [{ steps: [{ awaitText: "ping" }, "pong"] }] }
      : each,
  ),
};
