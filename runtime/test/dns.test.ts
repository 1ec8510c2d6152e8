// A cluster whose hosts come from a DNS server, through changes and faults of that server.
import { afterEach, beforeEach, expect, onTestFinished, test } from "vitest";
import { DnsServer } from "../src/upstream/dns-server-for-test.ts";
import { listener, socketAddress } from "./bootstrap.ts";
import { useProcesses } from "./process-rig.ts";
import { HttpUpstream } from "./upstreams.ts";

const processes = useProcesses({ concurrency: 2 });
let dns: DnsServer;

beforeEach(async () => {
  dns = await DnsServer.start();
});

afterEach(() => dns.close());

/** Answers with its own address, in its own time for /hold. */
async function upstream(address: string, port = 0): Promise<HttpUpstream> {
  const server = new HttpUpstream(address);
  onTestFinished(() => server.close());
  await server.listen(port, address);
  return server;
}

function config(port: number): object {
  const cares = "type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3";
  const [host, dnsPort] = dns.address.split(":");
  const typed_config = {
    "@type": `${cares}.CaresDnsResolverConfig`,
    resolvers: [socketAddress(Number(dnsPort), host)],
    query_timeout_seconds: 1,
    query_tries: 1,
  };
  const lb_endpoints = [{ endpoint: { address: socketAddress(port, "up.test") } }];
  const cluster = {
    name: "up",
    type: "STRICT_DNS",
    dns_lookup_family: "V4_ONLY",
    dns_refresh_rate: "0.05s",
    typed_dns_resolver_config: { name: "cares", typed_config },
    load_assignment: { cluster_name: "up", endpoints: [{ lb_endpoints }] },
  };
  return {
    admin: { address: socketAddress(0) },
    static_resources: { listeners: [listener()], clusters: [cluster] },
  };
}

test("hosts come and go by DNS; streams on hosts that are gone finish", async () => {
  const first = await upstream("127.0.0.1");
  await upstream("127.0.0.2", first.port);
  dns.reactions.set("up.test", ["127.0.0.1"]);
  const headgate = await processes.start(config(first.port));
  const target = await headgate.listener();
  const get = async (path = "/"): Promise<string> => {
    const response = await fetch(`http://${target}${path}`, { headers: { connection: "close" } });
    return response.status === 200 ? await response.text() : `status ${response.status}`;
  };
  const stat = (name: string): Promise<number> => headgate.stat(`cluster.up.${name}`);
  expect(await get()).toBe("127.0.0.1");
  const answer = get("/hold");
  await headgate.waitFor(() => first.held.length === 1, "a stream on the first host");

  dns.reactions.set("up.test", ["127.0.0.2"]);
  await headgate.waitFor(async () => (await stat("membership_change")) === 2, "the other host");
  const seen = new Set<string>();
  await headgate.waitFor(async () => {
    const text = await get();
    seen.add(text);
    return text === "127.0.0.2";
  }, "an answer of the other host");
  // A worker may have been told a moment later than the other, but nothing fails in between.
  for (const text of seen) expect(text).toMatch(/^127\.0\.0\.[12]$/);
  first.held[0]?.end("at last");
  expect(await answer).toBe("at last");

  // The same hosts in another order, a server that fails, one that is silent: nothing changes.
  dns.reactions.set("up.test", ["127.0.0.2", "127.0.0.1"]);
  await headgate.waitFor(async () => (await stat("membership_total")) === 2, "two hosts");
  dns.reactions.set("up.test", ["127.0.0.1", "127.0.0.2"]);
  const rebuilds = await stat("update_no_rebuild");
  await headgate.waitFor(async () => (await stat("update_no_rebuild")) > rebuilds + 1);
  for (const fault of ["servfail", "silence"] as const) {
    const failures = await stat("update_failure");
    dns.reactions.set("up.test", fault);
    await headgate.waitFor(async () => (await stat("update_failure")) > failures, fault);
    expect(await get()).toMatch(/^127\.0\.0\.[12]$/);
  }
  expect([await stat("membership_total"), await stat("membership_change")]).toEqual([2, 3]);

  dns.reactions.set("up.test", "nxdomain");
  await headgate.waitFor(async () => (await stat("membership_total")) === 0, "no host");
  await headgate.waitFor(async () => (await get()) === "status 503", "an answer without a host");
  expect(await stat("update_empty")).toBeGreaterThan(0);
  dns.reactions.set("up.test", ["127.0.0.2"]);
  await headgate.waitFor(async () => (await get()) === "127.0.0.2", "the host again");
});
