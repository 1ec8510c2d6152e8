// Who clients are, beyond downstream-tls.ts: every client certificate under every kind of
// validation context, what routes, logs and x-forwarded-client-cert make of them, names and schemes.
import { certificateFiles } from "../bootstrap.ts";
import { type Chain, type Connection, type Group, get, type JsonObject } from "../case.ts";

const TLS_INSPECTOR: JsonObject = {
  name: "envoy.filters.listener.tls_inspector",
  typed_config: {
    "@type": "type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector",
  },
};

/** What both libraries choose alike; groups and sessions without tickets are each one's own. */
const SESSION_FORMAT: readonly string[] = [
  "%RESPONSE_CODE%",
  "%REQUESTED_SERVER_NAME%",
  "%REQUESTED_SERVER_NAME(HOST_FIRST)%",
  "%DOWNSTREAM_TLS_VERSION%",
  "%DOWNSTREAM_LOCAL_SUBJECT%",
  "%DOWNSTREAM_LOCAL_DNS_SAN%",
  "%DOWNSTREAM_LOCAL_IP_SAN%",
  "%FILTER_CHAIN_NAME%",
];

const PEER_FORMAT: readonly string[] = [
  "%RESPONSE_CODE%",
  "%ROUTE_NAME%",
  "%DOWNSTREAM_PEER_SUBJECT%",
  "%DOWNSTREAM_PEER_ISSUER%",
  "%DOWNSTREAM_PEER_SERIAL%",
  "%DOWNSTREAM_PEER_FINGERPRINT_256%",
  "%DOWNSTREAM_PEER_FINGERPRINT_1%",
  "%DOWNSTREAM_PEER_URI_SAN%",
  "%DOWNSTREAM_PEER_DNS_SAN%",
  "%DOWNSTREAM_PEER_IP_SAN%",
  "%DOWNSTREAM_PEER_EMAIL_SAN%",
  "%DOWNSTREAM_PEER_CERT%",
  "%DOWNSTREAM_PEER_CERT_V_START%",
  "%DOWNSTREAM_PEER_CERT_V_END(%Y)%",
  "%DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_256%",
  "%DOWNSTREAM_PEER_CHAIN_SERIALS%",
  "%DOWNSTREAM_PEER_ISSUER_FINGERPRINT_256%",
  "%DOWNSTREAM_PEER_ISSUER_SERIAL%",
];

function format(commands: readonly string[]): JsonObject {
  return { text_format_source: { inline_string: `${commands.join("|")}\n` } };
}

/** A `DownstreamTlsContext` with the given certificates. */
function presenting(
  names: readonly string[],
  more: JsonObject = {},
  own: JsonObject = {},
): JsonObject {
  return {
    common_tls_context: { tls_certificates: names.map(certificateFiles), ...more },
    ...own,
  };
}

/** One that asks clients for theirs. */
function asking(validation: JsonObject, own: JsonObject = {}): JsonObject {
  const trusting = { trusted_ca: { filename: "$DIR/authority.pem" }, ...validation };
  return presenting(["server_ec"], { validation_context: trusting }, own);
}

function names(kind: string, matcher: JsonObject, more: JsonObject = {}): JsonObject {
  return { match_typed_subject_alt_names: [{ san_type: kind, matcher, ...more }] };
}

const peerRoutes: readonly JsonObject[] = [
  {
    name: "all",
    domains: ["*"],
    routes: [
      { presented: true, validated: true, name: "validated" },
      { presented: true, validated: false, name: "presented" },
      { presented: false, validated: false, name: "anonymous" },
    ].map(({ name, ...tls }) => ({
      name,
      match: { prefix: "/", tls_context: tls },
      direct_response: { status: 200, body: { inline_string: name } },
    })),
  },
];

/** A site whose route and log say who the client is. */
function peers(tls: JsonObject): Chain {
  return { tls, virtualHosts: peerRoutes, logFormat: format(PEER_FORMAT) };
}

function secured(
  site: string,
  tls: Connection["tls"] = {},
  text: string = get("/"),
): readonly Connection[] {
  return [{ site, tls: tls ?? {}, send: [text] }];
}

const session: Chain = {
  tls: presenting(["server_ec"], { tls_params: { tls_maximum_protocol_version: "TLSv1_3" } }),
  logFormat: format(SESSION_FORMAT),
};

/** An HCM that tells upstreams about its clients. */
function forwarding(mode: string, details: JsonObject, tlsContext: JsonObject = asking({})): Chain {
  return {
    tls: tlsContext,
    hcm: { forward_client_cert_details: mode, set_current_client_cert_details: details },
  };
}

const some: JsonObject = { subject: true, dns: true, uri: true };
const CAME = "X-Forwarded-Client-Cert: By=spiffe://edge;Hash=00";

/** With a certificate, with one and a header, without one but with a header. */
function forwarded(site: string): readonly Connection[] {
  const { tls: known } = { tls: { certificate: "client" } };
  return [
    ...secured(site, known),
    ...secured(site, known, get("/", CAME)),
    ...secured(site, {}, get("/", CAME)),
  ];
}

const CERTIFICATES = [
  "client",
  "client_middle",
  "client_bare",
  "client_stranger",
  "client_expired",
  "client_revoked",
];

/** Each of the clients, and one that has nothing to show. */
function everybody(site: string): readonly Connection[] {
  return [
    ...CERTIFICATES.flatMap((certificate) => secured(site, { certificate })),
    ...secured(site),
  ];
}

const revoked: JsonObject = { crl: { filename: "$DIR/revoked.pem" } };

export const tlsPeers: Group = {
  id: "tls-peers",
  title: "Certificates of clients: who is let in, and who hears of them",
  certificates: true,
  stats: "listener\\..*\\.ssl\\.(handshake|no_certificate|connection_error|fail_verify_.*)",
  sites: {
    main: peers(asking({})),
    names: { ...session, listenerFilters: [TLS_INSPECTOR] },
    blind: session,
    needs_sni: { ...session, tls: presenting(["server_ec"], {}, { require_sni: true }) },
    no_tickets: {
      ...session,
      tls: presenting(["server_ec"], {}, { disable_stateless_session_resumption: true }),
    },
    untrusted: peers(asking({ trust_chain_verification: "ACCEPT_UNTRUSTED" })),
    lenient: peers(asking({ allow_expired_certificate: true })),
    revoking: peers(asking(revoked)),
    leaf_crl: peers(asking({ ...revoked, only_verify_leaf_cert_crl: true })),
    shallow: peers(asking({ max_verify_depth: 1 })),
    san_uri: peers(asking(names("URI", { prefix: "spiffe://test/" }))),
    san_dns: peers(asking(names("DNS", { exact: "CLIENT.test" }))),
    san_regex: peers(asking(names("EMAIL", { safe_regex: { regex: "[a-z]+@test" } }))),
    spki: peers(asking({ verify_certificate_spki: ["$SPKI:client_middle"] })),
    san_and_hash: peers(
      asking({
        ...names("URI", { exact: "spiffe://test/client" }),
        verify_certificate_hash: ["$SHA256:client_bare"],
      }),
    ),
    forward_only: forwarding("FORWARD_ONLY", some),
    append: forwarding("APPEND_FORWARD", some),
    always: forwarding("ALWAYS_FORWARD_ONLY", some),
    set_all: forwarding(
      "SANITIZE_SET",
      { subject: true, cert: true, chain: true, dns: true, uri: true },
      presenting(["second"], {
        validation_context: { trusted_ca: { filename: "$DIR/authority.pem" } },
      }),
    ),
    https: {
      tls: presenting(["server_ec"]),
      virtualHosts: [
        {
          name: "all",
          domains: ["*"],
          require_tls: "ALL",
          routes: [
            { match: { prefix: "/redirect" }, redirect: { https_redirect: true } },
            { match: { prefix: "/moved" }, redirect: { path_redirect: "/there" } },
            { match: { prefix: "/" }, route: { cluster: "up" } },
          ],
        },
      ],
    },
    overwritten: {
      tls: presenting(["server_ec"]),
      hcm: { scheme_header_transformation: { scheme_to_overwrite: "http" } },
    },
  },
  cases: [
    {
      id: "tls-sni-upper",
      title: "SNI in upper case, beside another Host",
      connections: secured("names", { servername: "SERVER.test" }, get("/", "Host: other.test:99")),
    },
    {
      id: "tls-sni-blind",
      title: "without tls_inspector nobody knows the SNI",
      connections: secured("blind", { servername: "server.test" }),
    },
    {
      id: "tls-no-sni",
      title: "require_sni, without and with",
      connections: [
        ...secured("needs_sni"),
        ...secured("needs_sni", { servername: "server.test" }),
      ],
    },
    {
      id: "tls-resume-id",
      title: "a session id of TLS 1.2",
      connections: [
        ...secured("no_tickets", { maxVersion: "TLSv1.2" }),
        ...secured("no_tickets", { maxVersion: "TLSv1.2", resume: 1 }),
      ],
    },
    { id: "mtls-optional", title: "asked for, not required", connections: everybody("main") },
    { id: "mtls-untrusted", title: "ACCEPT_UNTRUSTED", connections: everybody("untrusted") },
    { id: "mtls-expired", title: "allow_expired_certificate", connections: everybody("lenient") },
    { id: "mtls-crl", title: "a revocation list", connections: everybody("revoking") },
    { id: "mtls-leaf-crl", title: "only_verify_leaf_cert_crl", connections: everybody("leaf_crl") },
    { id: "mtls-depth", title: "max_verify_depth", connections: everybody("shallow") },
    { id: "mtls-san-uri", title: "SAN: URI by prefix", connections: everybody("san_uri") },
    { id: "mtls-san-dns", title: "SAN: DNS, case aside", connections: everybody("san_dns") },
    {
      id: "mtls-san-regex",
      title: "SAN: e-mail by expression",
      connections: everybody("san_regex"),
    },
    { id: "mtls-spki", title: "verify_certificate_spki", connections: everybody("spki") },
    {
      id: "mtls-san-hash",
      title: "names and hashes must both fit",
      connections: everybody("san_and_hash"),
    },
    { id: "xfcc-forward-only", title: "FORWARD_ONLY", connections: forwarded("forward_only") },
    { id: "xfcc-always", title: "ALWAYS_FORWARD_ONLY", connections: forwarded("always") },
    {
      id: "xfcc-lines",
      title: "several lines are one",
      connections: [
        ...secured("append", { certificate: "client_bare" }, get("/", CAME, CAME)),
        ...secured("forward_only", { certificate: "client" }, get("/", CAME, CAME)),
        ...secured("append", { certificate: "client_bare" }, get("/", "X-Forwarded-Client-Cert:")),
      ],
    },
    {
      id: "xfcc-details",
      title: "all details, with a chain and without names",
      connections: [
        ...secured("set_all", { certificate: "client" }),
        ...secured("set_all", { certificate: "client_middle" }),
        ...secured("set_all", { certificate: "client_bare" }),
      ],
    },
    {
      id: "tls-scheme",
      title: "x-forwarded-proto and require_tls over TLS",
      connections: [
        ...secured("https"),
        ...secured("https", {}, get("/", "X-Forwarded-Proto: http")),
        ...secured("https", {}, get("/redirect", "Host: test.local:443")),
        ...secured("https", {}, get("/moved")),
      ],
    },
    {
      id: "tls-scheme-overwritten",
      title: "scheme_to_overwrite over TLS",
      connections: secured("overwritten"),
    },
  ],
};
