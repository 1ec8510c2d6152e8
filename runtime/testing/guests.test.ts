// Modules that the toolchains of other languages made, tested as their authors would.
import { afterEach, expect, test } from "vitest";
import { configErrors, loadChain, loadFilter, openFilters } from "./index.ts";

/** A committed module. */
function guest(name: string): URL {
  return new URL(`../../conformance/guests/wasm/${name}.wasm`, import.meta.url);
}

afterEach(async () => {
  for (const filter of openFilters()) await filter.close();
});

test("a callout's answer lets the request pass", async () => {
  const t = await loadFilter(guest("rust-auth-callout"));
  const auth = t.callouts.expect("auth").toMatch({
    method: "GET",
    path: "/check",
    headers: { authorization: "token", "x-original-path": /^\/a/, "x-none": null },
    timeoutMs: 1000,
  });
  const s = await t.request({ path: "/a?b", headers: { authorization: "token" } });
  expect(s.paused).toBe(true);
  expect(s.action).toBe("StopIteration");
  expect(s.upstreamRequest).toBeNull();
  expect(t.callouts.waiting).toHaveLength(1);
  expect(s.callouts).toEqual([auth.request]);

  auth.reply(200, { "x-auth-user": "kim" });
  expect(s.paused).toBe(false);
  expect(s.upstreamRequest).toMatchObject({ method: "GET", path: "/a?b" });
  expect(s.upstreamRequest?.headers).not.toHaveProperty("authorization");
  await s.respond({ status: 201, body: "made" });
  expect(s.response).toMatchObject({ status: 201, text: "made", isComplete: true });
  expect(s.response?.headers["x-served-to"]).toBe("kim");
  expect(s.isOver).toBe(true);
});

test.each([
  ["timeout", 504, "upstream request timeout"],
  ["unreachable", 503, "upstream connect error"],
  ["refused", 503, "no authorization"],
  ["no cluster", 503, "no authorization"],
] as const)("a callout that fails by %s is told to the guest", async (failure, status, text) => {
  const t = await loadFilter(guest("rust-auth-callout"));
  t.callouts.expect("auth").fail(failure);
  const s = await t.request({});
  expect(s.localReply).toMatchObject({ status, text: expect.stringContaining(text) as string });
  expect(s.response?.status).toBe(status);
  expect(s.upstreamRequest).toBeNull();
});

test("what an SDK does not expect of a failed call is told with its cause", async () => {
  const t = await loadFilter(guest("rust-auth-callout"));
  t.callouts.expect("auth").fail("reset");
  const error = await t.request({}).catch((reason: AggregateError) => reason);
  expect((error as AggregateError).errors).toMatchObject([
    { name: "StrictError", message: expect.stringContaining("headers of an HTTP call's answer") },
    { name: "GuestTrapError", message: expect.stringContaining("unexpected status: 2") },
  ]);
});

test("time ends a callout that nobody answers, and brings answers that come later", async () => {
  const t = await loadFilter(guest("rust-auth-callout"));
  t.callouts.expect("auth").never();
  const late = await t.request({});
  await t.advance(999);
  expect(late.paused).toBe(true);
  await t.advance(1);
  expect(late.localReply?.status).toBe(504);

  t.callouts.expect("auth").reply(200).after(300);
  const s = await t.request({});
  await t.advance(299);
  expect(s.paused).toBe(true);
  await t.advance(1);
  expect(s.upstreamRequest).not.toBeNull();
});

test("gRPC calls and streams", async () => {
  const t = await loadFilter(guest("rust-grpc-callout"));
  const check = t.callouts.expectGrpc("grpc", "guests.Authorization/Check");
  check.toMatch({ metadata: { "x-from": "guest" }, message: "/a" }).reply("allow it");
  const unary = await t.request({ path: "/a" });
  expect(unary.upstreamRequest?.headers["x-grpc-answer"]).toBe("allow it");
  expect(check.messages.map(String)).toEqual(["/a"]);

  const watch = t.callouts.expectGrpc("grpc", "guests.Authorization/Watch");
  const stream = await t.request({ path: "/stream" });
  expect(watch.isHalfClosed).toBe(true);
  watch.sendInitialMetadata({ "x-start": "now" });
  expect(stream.paused).toBe(true);
  watch.send("allow all");
  expect(stream.upstreamRequest?.headers["x-grpc-answer"]).toBe("allow all");
  watch.close(0, "", { "x-end": "done" });
  expect(t.logs.map(({ message }) => message)).toEqual([
    "stream begins: now",
    "stream says allow all",
    "stream ends: done",
    "stream closed with 0",
  ]);

  t.callouts.expectGrpc("grpc").fail(14, "away");
  const failed = await t.request({ path: "/b" });
  expect(failed.localReply).toMatchObject({ status: 403, text: "call failed\n" });
  expect(failed.response?.headers["x-grpc"]).toBe("14");
});

test("shared data is that of all workers", async () => {
  const options = { config: "3/3600", vmId: "limits" };
  const t = await loadFilter(guest("rust-rate-limit"), options);
  const other = await t.worker();
  const headers = { "x-api-key": "k" };
  const left = async (worker: typeof t): Promise<string | undefined> => {
    const s = await worker.request({ headers });
    if (s.localReply !== null) return String(s.localReply.status);
    await s.respond();
    return s.response?.headers["x-ratelimit-remaining"];
  };
  expect(await left(t)).toBe("2");
  expect(await left(other)).toBe("1");
  expect(await left(t)).toBe("0");
  expect(await left(other)).toBe("429");
  expect(t.shared.get("rate-limit.k")?.readUInt32LE(8)).toBe(3);
  expect(other.shared.cas("rate-limit.k")).toBe(t.shared.cas("rate-limit.k"));
  t.shared.set("rate-limit.k", "");
  expect(await left(other)).toBe("2");
  // A new window.
  await t.advance(3_600_000);
  expect(await left(t)).toBe("2");
});

test("configuration that is refused", async () => {
  expect(await configErrors(guest("rust-rate-limit"), { config: "three" })).toEqual([
    "proxy_on_configure answered false",
    "configuration must be LIMIT/WINDOW_SECONDS",
  ]);
  expect(await configErrors(guest("rust-rate-limit"), { config: "3/1" })).toEqual([]);
  await expect(loadFilter(guest("rust-rate-limit"), { config: "three" })).rejects.toThrow(
    "the filter did not start: proxy_on_configure answered false; configuration must be",
  );
});

test("queues, between plugins of one chain and with the test", async () => {
  const source = guest("rust-shared-queue");
  const t = await loadChain([
    { source, name: "consumer", vmId: "consumer", config: "consumer", isService: true },
    { source, name: "producer", vmId: "producer" },
  ]);
  t.queues.register("more", "consumer");
  await t.request({ path: "/a" });
  await t.advance(10);
  expect(t.logs.map(({ message }) => message)).toContain("consumed /a");
  expect(t.metrics.counter("rust_guest.consumed")).toBe(1);

  const s = await t.request({ path: "/b", headers: { "x-queue": "more" } });
  expect(s.upstreamRequest?.headers["x-queued"]).toBe("yes");
  expect(t.queues.pop("more", "consumer")?.toString()).toBe("/b");
  expect(t.queues.pop("more", "consumer")).toBeUndefined();
  t.queues.push("paths", "from the test", "consumer");
  await t.advance(10);
  expect(t.logs.at(-1)?.message).toBe("consumed from the test");
  expect(() => t.queues.pop("none")).toThrow('no queue "none" of vm_id "consumer"');
});

test("an item of another worker's queue comes there", async () => {
  const source = guest("rust-shared-queue");
  const links = [
    { source, name: "consumer", vmId: "consumer", config: "consumer", isService: true },
    { source, name: "producer", vmId: "producer" },
  ];
  const t = await loadChain(links);
  const other = await t.worker();
  await t.request({ path: "/from-first" });
  await t.advance(10);
  // The last who registers the queue is its consumer.
  expect(other.logs.map(({ message }) => message)).toEqual(["consumed /from-first"]);
  expect(t.logs).toEqual([]);
});

test("TCP: data both ways, and who closes", async () => {
  const t = await loadFilter(guest("rust-tcp-lines"));
  const c = await t.connect({ remoteAddress: "127.0.0.1:4000" });
  expect(c.isConnected).toBe(true);
  await c.send("card 12");
  expect(c.upstreamData.toString()).toBe("");
  await c.send("34\n");
  expect(c.upstreamData.toString()).toBe("card ####\n");
  await c.respond("ok é\n");
  expect(c.downstreamData.toString()).toBe("ok é\n");
  await c.endResponse();
  expect(c.isDownstreamEnded).toBe(true);
  await c.send("QUIT\n");
  expect(c.closed).toBe("after flush");
  expect(c.logs.map(({ message }) => message)).toContain("lines: 1 lines, 6 bytes back");
});

test("Go, C and old AssemblyScript", async () => {
  const go = await loadFilter(guest("go-plugins"), { rootId: "counting", config: "100" });
  expect((await go.request({})).upstreamRequest).not.toBeNull();
  expect(go.metrics.names).not.toEqual([]);
  const c = await loadFilter(guest("c-redirect"));
  const s = await c.request({ path: "/health" });
  expect(s.localReply?.status).toBe(200);
  const metrics = await loadFilter(guest("c-metrics"));
  await (await metrics.request({ body: "abc", method: "POST" })).respond({ body: "defg" });
  expect(metrics.metrics.names.length).toBeGreaterThan(2);
  const old = await loadFilter(guest("as-solo-0.1.0"), { rootId: "header-edit" });
  expect((await old.request({})).upstreamRequest).not.toBeNull();
});

test("a panic fails the test with its words and its frames", async () => {
  const t = await loadFilter(guest("rust-faulty"));
  const request = t.request({ headers: { "x-fault": "request-headers" } });
  const error = await request.then(
    () => null,
    (reason: Error) => reason,
  );
  expect(error?.name).toBe("GuestTrapError");
  expect(error?.message).toMatch(
    /^plugin filter was stopped: unreachable \[trap\] in proxy_on_req/,
  );
  expect(error?.message).toMatch(/\n {2}at function \d+, offset 0x[0-9a-f]+/);
});

test("traps can be what a test is about", async () => {
  const t = await loadFilter(guest("rust-faulty"), { traps: "allow" });
  const s = await t.request({ headers: { "x-fault": "request-headers" } });
  expect(s.response?.status).toBe(503);
  expect(t.traps).toHaveLength(1);
  await t.advance(20_000);
  const next = await t.request({});
  expect(next.upstreamRequest).not.toBeNull();
});

test("two plugins in a chain", async () => {
  const t = await loadChain([
    { source: guest("c-header-edit"), name: "c" },
    { source: guest("rust-header-edit"), name: "rust" },
  ]);
  const s = await t.request({});
  await s.respond({});
  expect(s.actions.filter(({ callback }) => callback === "proxy_on_request_headers")).toEqual([
    { callback: "proxy_on_request_headers", answer: "Continue" },
    { callback: "proxy_on_request_headers", answer: "Continue" },
  ]);
  const twice = loadChain([{ source: guest("c-redirect") }, { source: guest("c-redirect") }]);
  await expect(twice).resolves.toBeDefined();
  const same = loadChain([
    { source: guest("c-redirect"), name: "x" },
    { source: guest("c-redirect"), name: "x" },
  ]);
  await expect(same).rejects.toThrow("two plugins are called x");
});

test("a soak is flat, or says what grows", async () => {
  const t = await loadFilter(guest("rust-header-edit"));
  const report = await t.soak(400, { request: (i) => ({ path: `/${i}` }) });
  expect(report).toMatchObject({ requests: 400, contexts: [1, 1] });
  const held = await loadFilter(guest("rust-auth-callout"));
  held.callouts.expect("auth").anyTimes().never();
  await expect(held.soak(20)).rejects.toThrow("20 of 20 streams did not end");
});
