// x-forwarded-client-cert in all modes, as Envoy 1.40 wrote it for the same certificates.
import { describe, expect, test } from "vitest";
import type { ClientCertDetails, ForwardClientCert } from "../config/snapshot.ts";
import { HeaderMap } from "../core/header-map.ts";
import { certificateInfoForTest, tlsInfoForTest } from "../core/tls-info-for-test.ts";
import type { TlsInfo } from "../core/tls-info.ts";
import { ClientCertForwarder } from "./client-cert.ts";

const NAME = "x-forwarded-client-cert";
const none: ClientCertDetails = {
  subject: false,
  cert: false,
  chain: false,
  dns: false,
  uri: false,
};
const some: ClientCertDetails = { ...none, subject: true, dns: true, uri: true };
const server = certificateInfoForTest({ uris: ["spiffe://t/server", "spiffe://t/server2"] });
const client = certificateInfoForTest({
  subject: "CN=cl,O=Acme\\, Inc.,C=NL",
  uris: ["spiffe://t/c", 'urn:b,c;d="e"'],
  dnsNames: ["c1.example", "c2.example"],
  sha256: "3df8",
  pem: "-----BEGIN CERTIFICATE-----\nMII+/=\n-----END CERTIFICATE-----\n",
});
const middle = certificateInfoForTest({ pem: "-----BEGIN CERTIFICATE-----\nMID\n" });
const secured = tlsInfoForTest({ local: server, peer: client, peerChain: [client, middle] });
const written =
  "By=spiffe://t/server;By=spiffe://t/server2;Hash=3df8;" +
  'Subject="CN=cl,O=Acme\\, Inc.,C=NL";URI=spiffe://t/c;URI=urn:b,c;d="e";' +
  "DNS=c1.example;DNS=c2.example";

function forwarded(
  mode: ForwardClientCert,
  tls: TlsInfo | null,
  came: readonly string[],
  details: ClientCertDetails = some,
): readonly string[] {
  const headers = new HeaderMap();
  for (const value of came) headers.append(NAME, value);
  const forwarder = new ClientCertForwarder({
    forwardClientCert: mode,
    clientCertDetails: details,
  });
  forwarder.apply(headers, tls, came.length > 0);
  return headers.getAll(NAME);
}

describe("modes", () => {
  const anonymous = tlsInfoForTest({ local: server });
  const came = "By=a;Hash=b";

  test.each<[ForwardClientCert, string[], string[], string[], string[]]>([
    // mode, with certificate, with certificate and header, anonymous with header, plain with header
    ["sanitize", [], [], [], []],
    ["forward_only", [], [came], [], []],
    ["append_forward", [written], [`${came},${written}`], [], []],
    ["sanitize_set", [written], [written], [], []],
    ["always_forward_only", [], [came], [came], [came]],
  ])("%s", (mode, shown, shownAndCame, hidden, plain) => {
    expect(forwarded(mode, secured, [])).toEqual(shown);
    expect(forwarded(mode, secured, [came])).toEqual(shownAndCame);
    expect(forwarded(mode, anonymous, [came])).toEqual(hidden);
    expect(forwarded(mode, null, [came])).toEqual(plain);
    expect(forwarded(mode, anonymous, [])).toEqual([]);
  });

  test("several lines become one, empty ones nothing", () => {
    expect(forwarded("forward_only", secured, ["By=a", "By=b"])).toEqual(["By=a,By=b"]);
    expect(forwarded("always_forward_only", null, ["By=a", "By=b"])).toEqual(["By=a,By=b"]);
    expect(forwarded("append_forward", secured, ["By=a", "By=b"])).toEqual([
      `By=a,By=b,${written}`,
    ]);
    expect(forwarded("append_forward", secured, [""])).toEqual([written]);
    expect(forwarded("sanitize", secured, ["By=a", "By=b"])).toEqual([]);
  });
});

describe("details", () => {
  const set = (details: Partial<ClientCertDetails>, tls: TlsInfo = secured): string | undefined =>
    forwarded("sanitize_set", tls, [], { ...none, ...details })[0];

  test("By and Hash are always there; By only with a URI of ours", () => {
    expect(set({})).toBe("By=spiffe://t/server;By=spiffe://t/server2;Hash=3df8");
    const nameless = tlsInfoForTest({ local: certificateInfoForTest(), peer: client });
    expect(set({ subject: true }, nameless)).toBe('Hash=3df8;Subject="CN=cl,O=Acme\\, Inc.,C=NL"');
  });

  test("certificate and chain come in PEM, before the rest", () => {
    const pem = "-----BEGIN%20CERTIFICATE-----%0AMII%2B%2F%3D%0A-----END%20CERTIFICATE-----%0A";
    expect(set({ cert: true, chain: true, subject: true })).toBe(
      "By=spiffe://t/server;By=spiffe://t/server2;Hash=3df8;" +
        `Cert="${pem}";Chain="${pem}-----BEGIN%20CERTIFICATE-----%0AMID%0A";` +
        'Subject="CN=cl,O=Acme\\, Inc.,C=NL"',
    );
  });

  test("URI stands there without one, DNS does not, and a subject may be empty", () => {
    const bare = tlsInfoForTest({ peer: certificateInfoForTest({ sha256: "cc" }) });
    expect(set({ subject: true, dns: true, uri: true }, bare)).toBe('Hash=cc;Subject="";URI=');
  });

  test("a name cannot make another header", () => {
    const evil = certificateInfoForTest({ sha256: "cc", uris: ["a\r\nx-admin: 1"] });
    expect(set({ uri: true }, tlsInfoForTest({ peer: evil }))).toBe("Hash=cc;URI=a__x-admin: 1");
  });

  test("each connection has its own, and its requests share it", () => {
    const forwarder = new ClientCertForwarder({
      forwardClientCert: "sanitize_set",
      clientCertDetails: none,
    });
    const other = tlsInfoForTest({ peer: certificateInfoForTest({ sha256: "dd" }) });
    const answers = [secured, other, secured].map((tls) => {
      const headers = new HeaderMap();
      forwarder.apply(headers, tls, false);
      return headers.get(NAME);
    });
    expect(answers[1]).toBe("Hash=dd");
    expect(answers[0]).toBe(answers[2]);
  });
});
