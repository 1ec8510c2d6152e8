// What guests may know of TLS on both sides: connection.* and upstream.*.
import { expect, test } from "vitest";
import { ConnectionInfo } from "../core/connection-info.ts";
import { StreamInfo } from "../core/stream-info.ts";
import { certificateInfoForTest, tlsInfoForTest } from "../core/tls-info-for-test.ts";
import type { TlsInfo } from "../core/tls-info.ts";
import type { Context } from "./context.ts";
import { findProperty, PropertyResult } from "./property-table.ts";

const bytes = (text: string): string => Buffer.from(text).toString("latin1");
const peer = certificateInfoForTest({
  subject: bytes("CN=cli\u00ebnt"),
  dnsNames: ["c1.example", "c2.example"],
  uris: ["spiffe://t/c", "urn:b"],
  sha256: "a1b2",
});
const local = certificateInfoForTest({ subject: "CN=server", uris: ["spiffe://t/s"] });

function contextOf(tls: TlsInfo | null, upstreamTls: TlsInfo | null): Context {
  const address = { ip: "127.0.0.1", port: 80 };
  const info = new StreamInfo();
  info.reset(new ConnectionInfo(1, address, address, 0), 1, 0);
  if (info.connection !== null) info.connection.tls = tls;
  info.upstreamTls = upstreamTls;
  return { streamInfo: info } as unknown as Context;
}

function read(context: Context, path: string): unknown {
  const value = findProperty(context, path.replaceAll(".", "\0"));
  return value instanceof Uint8Array ? [...value] : value;
}

const found: readonly (readonly [string, string])[] = [
  ["tls_version", "TLSv1.3"],
  ["subject_local_certificate", "CN=server"],
  ["subject_peer_certificate", bytes("CN=cli\u00ebnt")],
  ["dns_san_peer_certificate", "c1.example"],
  ["uri_san_local_certificate", "spiffe://t/s"],
  ["uri_san_peer_certificate", "spiffe://t/c"],
  ["sha256_peer_certificate_digest", "a1b2"],
];
const { NotFound } = PropertyResult;

test.each(found)("%s is the same on both sides, and only there", (name, value) => {
  const tls = tlsInfoForTest({ peer, local });
  const [down, up] = [contextOf(tls, null), contextOf(null, tls)];
  expect(read(down, `connection.${name}`)).toBe(value);
  expect(read(down, `upstream.${name}`)).toBe(NotFound);
  expect(read(up, `upstream.${name}`)).toBe(value);
  expect(read(up, `connection.${name}`)).toBe(NotFound);
});

test("without certificates subjects are empty, and names are not found", () => {
  const context = contextOf(tlsInfoForTest(), null);
  expect(read(context, "connection.subject_peer_certificate")).toBe("");
  expect(read(context, "connection.dns_san_local_certificate")).toBe(NotFound);
  expect(read(context, "connection.sha256_peer_certificate_digest")).toBe(NotFound);
});

test("mtls is whether the client has shown a certificate", () => {
  const presented = contextOf(tlsInfoForTest({ peer }), null);
  expect(flag(presented)).not.toEqual(flag(contextOf(tlsInfoForTest(), null)));
  expect(flag(contextOf(tlsInfoForTest(), null))).toEqual(flag(contextOf(null, null)));
});

function flag(context: Context): unknown {
  return read(context, "connection.mtls");
}
