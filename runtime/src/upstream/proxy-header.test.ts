import { expect, test } from "vitest";
import type { UpstreamProxyProtocolConfig } from "../config/snapshot.ts";
import { ConnectionInfo } from "../core/connection-info.ts";
import type { SocketAddress } from "../engine/network-engine.ts";
import { ProxyHeaderState, readProxyHeader, readProxyTlvs } from "../network/proxy-header.ts";
import {
  localProxyHeader,
  type ProxiedConnection,
  type ProxyHeaderConfig,
  proxyHeaderOf,
  writeProxyHeader,
} from "./proxy-header.ts";

function connection(remote: string, local: string): ConnectionInfo {
  return new ConnectionInfo(1, { ip: remote, port: 4000 }, { ip: local, port: 80 }, 0);
}

test.each([
  ["10.0.0.1", "10.0.0.2"],
  ["2001:db8::1", "::1"],
])("tells of %s what the reader understands, in both versions", (remote, local) => {
  for (const version of ["v1", "v2"] as const) {
    const header = proxyHeaderOf(connection(remote, local), version);
    expect(readProxyHeader(header)).toMatchObject({
      state: ProxyHeaderState.Found,
      length: header.length,
      source: { ip: remote, port: 4000 },
      destination: { ip: local, port: 80 },
    });
  }
});

test("has the bytes that Envoy sends", () => {
  const info = connection("127.0.0.1", "127.0.0.1");
  expect(proxyHeaderOf(info, "v1").toString()).toBe("PROXY TCP4 127.0.0.1 127.0.0.1 4000 80\r\n");
  expect(proxyHeaderOf(info, "v2").toString("hex")).toBe(
    "0d0a0d0a000d0a515549540a2111000c7f0000017f0000010fa00050",
  );
});

test("names nobody for a client on a unix socket", () => {
  const info = connection("", "");
  expect(proxyHeaderOf(info, "v1").toString()).toBe("PROXY UNKNOWN\r\n");
  expect(readProxyHeader(proxyHeaderOf(info, "v2"))).toMatchObject({ length: 16, source: null });
});

const ipv4 = (address: string, port: number): SocketAddress => ({ address, port, family: "ipv4" });
const config = (more: Partial<ProxyHeaderConfig> = {}): ProxyHeaderConfig => ({
  version: "v2",
  passThroughTlvs: "none",
  addedTlvs: [],
  ...more,
});
const proxied = (
  source: string,
  destination: string,
  tlvs: ProxiedConnection["tlvs"] = [],
): ProxiedConnection => ({
  source: { ip: source, port: 51_000 },
  destination: { ip: destination, port: 443 },
  tlvs,
});
const tlv = (type: number, text: string): { type: number; value: Buffer } => ({
  type,
  value: Buffer.from(text),
});

test.each([
  [proxied("192.0.2.1", "192.0.2.2"), "PROXY TCP4 192.0.2.1 192.0.2.2 51000 443\r\n"],
  [proxied("2001:db8::1", "::1"), "PROXY TCP6 2001:db8::1 ::1 51000 443\r\n"],
  [proxied("192.0.2.1", "::1"), "PROXY UNKNOWN\r\n"],
  [proxied("", ""), "PROXY UNKNOWN\r\n"],
])("version 1 %#", (connection, expected) => {
  const { bytes } = writeProxyHeader(config({ version: "v1" }), connection);
  expect(bytes.toString("latin1")).toBe(expected);
  expect(readProxyHeader(bytes).state).toBe(ProxyHeaderState.Found);
});

test("version 2, byte by byte", () => {
  const { bytes } = writeProxyHeader(config(), proxied("192.0.2.1", "192.0.2.2"));
  const signature = "0d0a0d0a000d0a515549540a";
  expect(bytes.toString("hex")).toBe(`${signature}2111000cc0000201c0000202c73801bb`);
});

test.each(["192.0.2.1", "2001:db8::ffff"])("version 2 of %s is read back", (ip) => {
  const { bytes } = writeProxyHeader(config(), proxied(ip, ip));
  const header = readProxyHeader(Buffer.concat([bytes, Buffer.from("GET /")]));
  expect(header).toMatchObject({ state: ProxyHeaderState.Found, length: bytes.length });
  expect(header.source).toMatchObject({ ip, port: 51_000 });
  expect(header.destination).toMatchObject({ ip, port: 443 });
});

test.each([proxied("192.0.2.1", "::1"), proxied("/run/x", "")])(
  "version 2 without addresses to tell is LOCAL %#",
  (connection) => {
    const { bytes } = writeProxyHeader(config(), connection);
    expect(bytes.subarray(12).toString("hex")).toBe("20000000");
  },
);

test.each<[UpstreamProxyProtocolConfig["passThroughTlvs"], string]>([
  ["none", "224=added 224=again"],
  ["all", "224=added 224=again 2=name 5=id 5=more"],
  [[5], "224=added 224=again 5=id 5=more"],
])("passes on %j of the downstream's TLVs, but none that is added", (passThroughTlvs, expected) => {
  const tlvs = [tlv(2, "name"), tlv(224, "theirs"), tlv(5, "id"), tlv(5, "more")];
  const addedTlvs = [tlv(224, "added"), tlv(224, "again")];
  const connection = proxied("192.0.2.1", "192.0.2.2", tlvs);
  const { bytes } = writeProxyHeader(config({ passThroughTlvs, addedTlvs }), connection);
  const { tlvFrom, length } = readProxyHeader(bytes);
  const read = readProxyTlvs(bytes, tlvFrom, length) ?? [];
  expect(read.map(({ type, value }) => `${type}=${value.toString()}`).join(" ")).toBe(expected);
});

test("TLVs that have no room are left out, those behind them are not", () => {
  const addedTlvs = [tlv(1, "x".repeat(40_000)), tlv(2, "x".repeat(40_000)), tlv(3, "small")];
  const connection = proxied("192.0.2.1", "192.0.2.2");
  const { bytes, areTlvsCut } = writeProxyHeader(config({ addedTlvs }), connection);
  expect(areTlvsCut).toBe(true);
  const { tlvFrom, length } = readProxyHeader(bytes);
  expect(readProxyTlvs(bytes, tlvFrom, length)?.map(({ type }) => type)).toEqual([1, 3]);
});

test("a connection of our own is told by its own addresses, or as LOCAL", () => {
  const [local, remote] = [ipv4("10.0.0.9", 1000), ipv4("10.0.0.8", 80)];
  const expected = "PROXY TCP4 10.0.0.9 10.0.0.8 1000 80\r\n";
  expect(localProxyHeader("v1", local, remote).toString("latin1")).toBe(expected);
  expect(localProxyHeader("v2", local, remote).subarray(12).toString("hex")).toBe("20000000");
});
