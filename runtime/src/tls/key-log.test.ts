import { expect, test } from "vitest";
import { KeyLog } from "./key-log.ts";

function log(local: string | null, remote: string | null): { keyLog: KeyLog; lines: string[] } {
  const lines: string[] = [];
  const cidrs = (address: string | null) =>
    address === null ? null : [{ address, prefixLength: 8 }];
  const config = { path: "x", localCidrs: cidrs(local), remoteCidrs: cidrs(remote) };
  return { keyLog: new KeyLog(config, { write: (text) => void lines.push(text) }), lines };
}

test("writes the lines of all connections when no addresses are named", () => {
  const { keyLog, lines } = log(null, null);
  keyLog.writerFor("10.0.0.1", "2001:db8::1")?.(Buffer.from("CLIENT_RANDOM 1 2\n"));
  expect(lines).toEqual(["CLIENT_RANDOM 1 2\n"]);
});

test("both addresses must be in their ranges", () => {
  const { keyLog } = log("10.0.0.0", "192.0.0.0");
  expect(keyLog.writerFor("10.1.1.1", "192.0.2.1")).not.toBeNull();
  expect(keyLog.writerFor("11.1.1.1", "192.0.2.1")).toBeNull();
  expect(keyLog.writerFor("10.1.1.1", "193.0.2.1")).toBeNull();
});
