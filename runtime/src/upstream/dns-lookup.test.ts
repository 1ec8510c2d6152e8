import { afterEach, beforeEach, expect, test } from "vitest";
import type { DnsServersConfig } from "../config/cluster-config.ts";
import { SystemDnsLookup } from "./dns-lookup.ts";
import type { DnsAnswer, IpFamily } from "./dns-lookup.ts";
import { DnsServer } from "./dns-server-for-test.ts";

let server: DnsServer;
let lookup: SystemDnsLookup;

beforeEach(async () => {
  server = await DnsServer.start();
  lookup = new SystemDnsLookup("/nowhere");
});

afterEach(() => {
  lookup.close();
  server.close();
});

function ask(
  name: string,
  family: IpFamily = 4,
  more: Partial<DnsServersConfig> = {},
): Promise<DnsAnswer> {
  const servers = { addresses: [server.address], queryTimeoutMs: 200, queryTries: 1, ...more };
  return lookup.resolve(name, family, servers);
}

test("asks the servers of the configuration and no others; tells the time to live", async () => {
  server.reactions.set("a.test", ["192.0.2.1", "192.0.2.2"]);
  server.ttlSeconds = 7;
  const addresses = ["192.0.2.1", "192.0.2.2"];
  expect(await ask("a.test")).toEqual({ outcome: "success", addresses, ttlSeconds: 7 });
  expect(server.asked).toEqual(["a.test A"]);
});

test("what is not there, and what has no address of the family, is empty", async () => {
  server.reactions.set("v4.test", ["192.0.2.1"]);
  server.reactions.set("none.test", []);
  expect((await ask("gone.test")).outcome).toBe("empty");
  expect((await ask("none.test")).outcome).toBe("empty");
  expect((await ask("v4.test", 6)).outcome).toBe("empty");
});

test("servers that fail, refuse, are silent or absent are failures", async () => {
  server.reactions.set("bad.test", "servfail");
  server.reactions.set("no.test", "refused");
  server.reactions.set("slow.test", "silence");
  expect((await ask("bad.test")).outcome).toBe("failure");
  expect((await ask("no.test")).outcome).toBe("failure");
  expect((await ask("slow.test")).outcome).toBe("failure");
  expect((await ask("a.test", 4, { addresses: ["127.0.0.1:1"] })).outcome).toBe("failure");
});

test("the next server is asked when one is silent", async () => {
  const silent = await DnsServer.start();
  silent.reactions.set("a.test", "silence");
  server.reactions.set("a.test", ["192.0.2.1"]);
  const answer = await ask("a.test", 4, {
    addresses: [silent.address, server.address],
    queryTries: 2,
  });
  silent.close();
  expect(answer.addresses).toEqual(["192.0.2.1"]);
});

test("close() ends questions that are under way", async () => {
  server.reactions.set("slow.test", "silence");
  const answer = ask("slow.test", 4, { queryTimeoutMs: 60_000 });
  while (server.asked.length === 0) await new Promise(setImmediate);
  lookup.close();
  expect((await answer).outcome).toBe("failure");
});
