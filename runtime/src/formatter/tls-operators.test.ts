// Commands about TLS: names, options and output as Envoy 1.40 logged them.
import { describe, expect, test } from "vitest";
import { Clock, systemTime } from "../core/clock.ts";
import { ConnectionInfo } from "../core/connection-info.ts";
import { StreamInfo } from "../core/stream-info.ts";
import { certificateInfoForTest, tlsInfoForTest } from "../core/tls-info-for-test.ts";
import type { TlsInfo } from "../core/tls-info.ts";
import { compileText } from "./formatter.ts";
import { FormatContext } from "./format-context.ts";
import { headersOf } from "./formatter-for-test.ts";

const peer = certificateInfoForTest({
  subject: "CN=client,O=Acme",
  issuer: "CN=mid",
  serial: "ab01",
  sha256: "a1",
  sha1: "a2",
  dnsNames: ["c1.example", "c2.example"],
  uris: ["spiffe://t/c", "urn:b,c"],
  ipAddresses: ["10.0.0.1", "2001:db8::1"],
  emails: ["a@b.c"],
  otherNames: [{ oid: "1.2.3", value: "zo" }],
  notBeforeMs: Date.UTC(2020, 0, 1),
  notAfterMs: Date.UTC(2099, 0, 1),
  pem: "-----BEGIN CERTIFICATE-----\nA+/=\n-----END CERTIFICATE-----\n",
});
const issuer = certificateInfoForTest({ serial: "190a", sha256: "b1", sha1: "b2" });
const server = certificateInfoForTest({ subject: "O=Acme,CN=server", uris: ["spiffe://t/s"] });
const full = tlsInfoForTest({
  version: "TLSv1.2",
  cipher: "ECDHE-ECDSA-AES128-GCM-SHA256",
  sessionId: "7a7e",
  serverName: "h.example",
  peer,
  peerChain: [peer, issuer],
  peerIssuer: issuer,
  local: server,
});

interface Place {
  readonly tls?: TlsInfo | null;
  readonly upstreamTls?: TlsInfo | null;
  readonly sni?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly failure?: string;
}

function print(format: string, place: Place): string {
  const address = { ip: "127.0.0.1", port: 80 };
  const connection = new ConnectionInfo(1, address, address, 100);
  connection.tls = place.tls ?? null;
  connection.requestedServerName = place.sni ?? "";
  connection.transportFailureReason = place.failure ?? "";
  connection.securedMs = 120;
  const info = new StreamInfo();
  info.reset(connection, 1, 130);
  info.upstreamTls = place.upstreamTls ?? null;
  const context = new FormatContext(new Clock(systemTime));
  context.set(info, place.headers === undefined ? null : headersOf(place.headers), null, null);
  const compiled = compileText(format, { hostname: "vm", omitEmptyValues: false });
  return typeof compiled === "function" ? compiled(context) : `error: ${compiled.message}`;
}

const facts: readonly (readonly [string, string])[] = [
  ["TLS_VERSION", "TLSv1.2"],
  ["TLS_CIPHER", "ECDHE-ECDSA-AES128-GCM-SHA256"],
  ["TLS_GROUP", "X25519"],
  ["TLS_SESSION_ID", "7a7e"],
  ["PEER_SUBJECT", "CN=client,O=Acme"],
  ["PEER_ISSUER", "CN=mid"],
  ["PEER_URI_SAN", "spiffe://t/c,urn:b,c"],
  ["PEER_DNS_SAN", "c1.example,c2.example"],
  ["PEER_IP_SAN", "10.0.0.1,2001:db8::1"],
  ["PEER_CERT", "-----BEGIN%20CERTIFICATE-----%0AA%2B%2F%3D%0A-----END%20CERTIFICATE-----%0A"],
  ["PEER_CERT_V_START", "2020-01-01T00:00:00.000Z"],
  ["PEER_CERT_V_END", "2099-01-01T00:00:00.000Z"],
  ["PEER_CERT_V_START(%b %e %H:%M:%S %Y)", "Jan  1 00:00:00 2020"],
  ["PEER_CERT_V_END(%s)", "4070908800"],
  ["LOCAL_URI_SAN", "spiffe://t/s"],
  ["LOCAL_DNS_SAN", "-"],
];

const downstreamOnly: readonly (readonly [string, string])[] = [
  ["DOWNSTREAM_PEER_SERIAL", "ab01"],
  ["DOWNSTREAM_PEER_FINGERPRINT_1", "a2"],
  ["DOWNSTREAM_PEER_FINGERPRINT_256", "a1"],
  ["DOWNSTREAM_PEER_EMAIL_SAN", "a@b.c"],
  ["DOWNSTREAM_PEER_OTHERNAME_SAN", "zo"],
  ["DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_1", "a2,b2"],
  ["DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_256", "a1,b1"],
  ["DOWNSTREAM_PEER_CHAIN_SERIALS", "ab01,190a"],
  ["DOWNSTREAM_PEER_ISSUER_FINGERPRINT_256", "b1"],
  ["DOWNSTREAM_PEER_ISSUER_SERIAL", "190a"],
  ["DOWNSTREAM_LOCAL_SUBJECT", "O=Acme,CN=server"],
  ["DOWNSTREAM_LOCAL_EMAIL_SAN", "-"],
  ["DOWNSTREAM_LOCAL_OTHERNAME_SAN", "-"],
  ["DOWNSTREAM_HANDSHAKE_DURATION", "0"],
];

describe("facts of TLS", () => {
  test.each([
    ...facts.map(([name, text]) => [`DOWNSTREAM_${name}`, text] as const),
    ...downstreamOnly,
  ])("%s", (name, text) => {
    expect(print(`%${name}%`, { tls: full, upstreamTls: null })).toBe(text);
    expect(print(`%${name}%`, { tls: null, upstreamTls: full })).toBe("-");
  });

  test.each([
    ...facts.map(([name, text]) => [`UPSTREAM_${name}`, text] as const),
    ["UPSTREAM_SERVER_NAME", "h.example"] as const,
  ])("%s", (name, text) => {
    expect(print(`%${name}%`, { tls: null, upstreamTls: full })).toBe(text);
    expect(print(`%${name}%`, { tls: full, upstreamTls: null })).toBe("-");
  });

  test("a peer without a certificate has no facts of one", () => {
    const tls = tlsInfoForTest();
    const format =
      "%DOWNSTREAM_PEER_SUBJECT% %DOWNSTREAM_PEER_CERT_V_END% %DOWNSTREAM_TLS_VERSION%";
    expect(print(format, { tls })).toBe("- - TLSv1.3");
    expect(print("%DOWNSTREAM_PEER_CHAIN_SERIALS%", { tls })).toBe("-");
  });

  test("the reason of a failure is one word", () => {
    const failure = "TLS_error:|268435581:SSL routines:X:verify cert failed";
    expect(print("%DOWNSTREAM_TRANSPORT_FAILURE_REASON%", { failure })).toBe(
      "TLS_error:|268435581:SSL_routines:X:verify_cert_failed",
    );
    expect(print("%DOWNSTREAM_TRANSPORT_FAILURE_REASON%", {})).toBe("-");
  });
});

describe("%REQUESTED_SERVER_NAME%", () => {
  const authority = { ":authority": "Foo.example:443" };
  const rewritten = {
    ":authority": "rewritten.example",
    "x-envoy-original-host": "Foo.example:443",
  };

  test.each([
    ["", "a_b.example"],
    ["(SNI_ONLY)", "a_b.example"],
    ["(SNI_FIRST)", "a_b.example"],
    ["(HOST_FIRST)", "Foo.example:443"],
    ["(HOST_FIRST:ORIG)", "Foo.example:443"],
    ["(HOST_FIRST:HOST)", "rewritten.example"],
    ["(HOST_FIRST:ORIG_OR_HOST)", "Foo.example:443"],
    ["(:ORIG)", "a_b.example"],
  ])("%j", (args, text) => {
    const place = { sni: "a_b.example", headers: rewritten };
    expect(print(`%REQUESTED_SERVER_NAME${args}%`, place)).toBe(text);
  });

  test("falls back from one to the other", () => {
    expect(print("%REQUESTED_SERVER_NAME(SNI_FIRST)%", { headers: authority })).toBe(
      "Foo.example:443",
    );
    expect(print("%REQUESTED_SERVER_NAME(HOST_FIRST)%", { sni: "a" })).toBe("a");
    expect(print("%REQUESTED_SERVER_NAME%", { headers: authority })).toBe("-");
    expect(print("%REQUESTED_SERVER_NAME(HOST_FIRST:ORIG)%", { headers: authority })).toBe("-");
  });

  test("what is no name is marked", () => {
    const sni = Buffer.from("we irdé!$.example").toString("latin1");
    expect(print("%REQUESTED_SERVER_NAME%", { sni })).toBe("invalid:we_ird____.example");
  });

  test.each(["(X)", "(SNI_ONLY:X)", "(sni_first)", ":5"])("refuses %s", (args) => {
    expect(print(`%REQUESTED_SERVER_NAME${args}%`, {})).toMatch(/^error: /);
  });
});
