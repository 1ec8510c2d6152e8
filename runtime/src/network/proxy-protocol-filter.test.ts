import { expect, test } from "vitest";
import type { ProxyProtocolConfig } from "../config/snapshot.ts";
import { ConnectionInfo } from "../core/connection-info.ts";
import { StatsStore } from "../stats/store.ts";
import { ProxyProtocolFilter } from "./proxy-protocol-filter.ts";

const HEADER = Buffer.from(
  // PROXY over TCP4, 12 bytes of addresses, TLVs 2 = "ab", 224 = "c".
  "0d0a0d0a000d0a515549540a21110015c0000201c0000202c73801bb0200026162e0000163",
  "hex",
);

function inspect(passThroughTlvs: ProxyProtocolConfig["passThroughTlvs"]): ConnectionInfo {
  const config: ProxyProtocolConfig = {
    kind: "proxy_protocol",
    statPrefix: "",
    isOptional: false,
    passThroughTlvs,
    allowsV1: true,
    allowsV2: true,
    rules: [],
  };
  const place = { ip: "127.0.0.1", port: 1 };
  const info = new ConnectionInfo(1, place, place, 0);
  const filter = new ProxyProtocolFilter(config, new StatsStore({ slotsMax: 20_000 }));
  const bytes = Buffer.from(HEADER);
  expect(filter.inspect(bytes, info)).toBe(HEADER.length);
  // They were lent.
  bytes.fill(0);
  return info;
}

test.each<[ProxyProtocolConfig["passThroughTlvs"], string]>([
  ["none", ""],
  ["all", "2=ab 224=c"],
  [[224, 7], "224=c"],
])("keeps %j of the TLVs for upstreams", (passed, expected) => {
  const { proxyTlvs } = inspect(passed);
  const text = proxyTlvs.map(({ type, value }) => `${type}=${Buffer.from(value).toString()}`);
  expect(text.join(" ")).toBe(expected);
});
