import { expect, test } from "vitest";
import type { AutoSniConfig } from "../config/snapshot.ts";
import { ConnectionInfo } from "../core/connection-info.ts";
import { HeaderMap } from "../core/header-map.ts";
import { hostOf, optionsOf } from "./transport-options.ts";

const both: AutoSniConfig = { setsServerName: true, verifiesName: true, headerName: "" };

function headersOf(authority: string, own = ""): HeaderMap {
  const headers = new HeaderMap();
  headers.authority = authority;
  if (own !== "") headers.append("x-sni", own);
  return headers;
}

function connection(port: number): ConnectionInfo {
  const place = (at: number): { text: string; ip: string; port: number } => ({
    text: `10.0.0.1:${at}`,
    ip: "10.0.0.1",
    port: at,
  });
  return new ConnectionInfo(1, place(port), place(443), 0);
}

test.each([
  ["a.test", "a.test"],
  ["a.test:8443", "a.test"],
  ["a.test:", "a.test:"],
  ["127.0.0.1:80", "127.0.0.1"],
  ["[::1]:80", "::1"],
  ["[::1]", "::1"],
  ["", ""],
])("the host of %j is %j", (authority, expected) => {
  expect(hostOf(authority)).toBe(expected);
});

test("a request's host becomes SNI and the name to verify", () => {
  const options = optionsOf(both, headersOf("a.test:80"), null);
  expect(options).toMatchObject({ serverName: "a.test", verifyNames: ["a.test"] });
  const sniOnly = optionsOf({ ...both, verifiesName: false }, headersOf("a.test"), null);
  expect(sniOnly).toMatchObject({ serverName: "a.test", verifyNames: [] });
});

test("an address is verified, but is no SNI", () => {
  const options = optionsOf(both, headersOf("127.0.0.1:80"), null);
  expect(options).toMatchObject({ serverName: "", verifyNames: ["127.0.0.1"] });
});

test("another header may say the name; without it the host does", () => {
  const config = { ...both, headerName: "x-sni" };
  expect(optionsOf(config, headersOf("a.test", "b.test:1"), null)?.serverName).toBe("b.test");
  expect(optionsOf(config, headersOf("a.test"), null)?.serverName).toBe("a.test");
});

test("requests share a pool when they say the same", () => {
  const key = (host: string, port: number | null): string | undefined =>
    optionsOf(both, headersOf(host), port === null ? null : connection(port))?.key;
  expect(key("a.test", null)).toBe(key("a.test:80", null));
  expect(key("a.test", null)).not.toBe(key("b.test", null));
  expect(key("a.test", 1)).not.toBe(key("a.test", 2));
  expect(key("a.test", 1)).toBe(key("a.test", 1));
  expect(optionsOf(null, headersOf("a.test"), null)).toBe(null);
  expect(optionsOf(both, null, null)).toBe(null);
});

test("TLVs keep requests apart where they are told to", () => {
  const key = (areTlvsKey: boolean, ...tlvs: readonly string[]): string | undefined => {
    const from = connection(1);
    from.proxyTlvs = tlvs.map((text) => ({ type: 5, value: Buffer.from(text) }));
    return optionsOf(null, null, from, areTlvsKey)?.key;
  };
  expect(key(false, "a")).toBe(key(false, "b"));
  expect(key(true, "a")).toBe(key(true, "a"));
  expect(new Set([key(true), key(true, "a"), key(true, "a", "a"), key(true, "b")]).size).toBe(4);
});
