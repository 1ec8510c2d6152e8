import { expect, test } from "vitest";
import { ConnectionInfo } from "../core/connection-info.ts";
import { ProxyHeaderState, readProxyHeader } from "../network/proxy-header.ts";
import { proxyHeaderOf } from "./proxy-header.ts";

function connection(remote: string, local: string): ConnectionInfo {
  const of = (ip: string, port: number): { text: string; ip: string; port: number } => ({
    text: `${ip}:${port}`,
    ip,
    port,
  });
  return new ConnectionInfo(1, of(remote, 4000), of(local, 80), 0);
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
