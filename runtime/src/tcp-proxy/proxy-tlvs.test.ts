import { expect, test } from "vitest";
import type { ProxyTlvsConfig } from "../config/snapshot.ts";
import { Clock } from "../core/clock.ts";
import { ConnectionInfo } from "../core/connection-info.ts";
import { StreamInfo } from "../core/stream-info.ts";
import { ProxyTlvs } from "./proxy-tlvs.ts";

const format = {
  kind: "text",
  text: "<%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%>",
  json: null,
  omitEmptyValues: false,
  contentType: "",
} as const;
const tlvs: ProxyTlvsConfig["tlvs"] = [
  { type: 0xe1, value: Buffer.from("add"), format: null },
  { type: 0xe2, value: new Uint8Array(0), format },
];
const OWN = ["225=add", "226=<192.0.2.7>"];

/** What the upstream is told behind a client's header of its own, or none. */
function told(merge: ProxyTlvsConfig["merge"], hasHeader: boolean): string[] {
  const remote = { ip: "192.0.2.7", port: 1 };
  const connection = new ConnectionInfo(1, remote, { ip: "a", port: 2 }, 0);
  connection.hasProxyHeader = hasHeader;
  if (hasHeader) {
    connection.proxyTlvs = [
      { type: 0xe1, value: Buffer.from("theirs") },
      { type: 5, value: Buffer.from("id") },
    ];
  }
  const info = new StreamInfo();
  info.reset(connection, 1, 0);
  const clock = new Clock({ monotonicMs: () => 0, epochMs: () => 0 });
  new ProxyTlvs({ merge, tlvs }, "me", clock).applyTo(connection, info);
  return connection.proxyTlvs.map(({ type, value }) => `${type}=${Buffer.from(value).toString()}`);
}

// As Envoy 1.40.0 does.
test("without a header of the client all policies add", () => {
  for (const merge of ["if_absent", "overwrite", "append"] as const) {
    expect(told(merge, false)).toEqual(OWN);
  }
});

test("a client's header stays as it is, is laid over, or is added to", () => {
  expect(told("if_absent", true)).toEqual(["225=theirs", "5=id"]);
  expect(told("overwrite", true)).toEqual([...OWN, "5=id"]);
  expect(told("append", true)).toEqual(["225=theirs", "5=id", ...OWN]);
});
