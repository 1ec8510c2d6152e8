// Every guest of this repository, metered and not: the same streams must come to the same answers,
// messages, metrics and memory. Time and chance are the same in both.
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { buildFilter } from "../../filters/build.mjs";
import { defaultWasmPolicy } from "../../runtime/src/config/wasm-policy.ts";
import { compileGuest } from "../../runtime/test/guests/compile.ts";
import { createFilterHost, type FilterHost } from "../../runtime/test/harness.ts";
import type { FilterHostOptions, FilterRequest } from "../../runtime/test/harness.ts";
import { GUESTS, modulePath } from "../guests/guests.ts";

type Options = Omit<FilterHostOptions, "policy">;
type Variant = Pick<FilterHostOptions, "rootId" | "config">;

const clusters: NonNullable<FilterHostOptions["clusters"]> = {
  up: { status: 200, headers: { "x-user": "anna" }, body: "yes" },
  auth: ({ headers }) => ({ status: headers["authorization"] === undefined ? 401 : 200 }),
  grpc: { status: 0, body: "message" },
};

const TEXT = 'a secret word, 12345 digits, {"key": [1, 2.5, null]} '.repeat(40);
/** For the guest that panics where it is told to. */
const faults = ["request-headers", "request-body", "response-headers", "response-body", "log"];
const requests: readonly FilterRequest[] = [
  {},
  { path: "/health" },
  { path: "/a/b?x=1&y=%20z", headers: { cookie: "a=b; group=beta", "x-forwarded-proto": "https" } },
  { headers: { authorization: "Bearer abc", "x-api-key": "k" } },
  { method: "POST", path: "/post", body: [TEXT, "tail"], trailers: { t: "1" } },
  { upstream: { status: 404, headers: { "content-type": "text/plain" }, body: [TEXT, TEXT] } },
  { upstream: { body: "x", trailers: { u: "2" } } },
  { path: "/admin", headers: { "x-long": "v".repeat(5000) } },
  ...faults.map((fault) => ({
    method: "POST",
    headers: { "x-fault": fault },
    body: TEXT,
    upstream: { body: TEXT },
  })),
];

/** What the outside sees of a guest, and its memory at the end. */
function play(host: FilterHost): readonly unknown[] {
  const seen: unknown[] = [];
  for (const request of requests) {
    const exchange = host.request(request);
    // Long enough for a VM that comes back.
    host.tick(3000);
    const { status, text, messages, localReply, upstreamRequest, reset } = exchange;
    seen.push({ status, text, messages, localReply, upstreamRequest, reset });
  }
  if (host.plugin.slot.isAlive) {
    const connection = host.connect();
    connection.clientSends("HELLO guard\r\nline one 123\nline");
    connection.serverSends("answer 456\n");
    connection.clientSends(" two\n");
    connection.clientEnds();
    connection.serverEnds();
    connection.close(true);
    seen.push(connection.closed);
  }
  for (const name of host.metrics.names) seen.push([name, host.metrics.get(name)]);
  // That of a VM which is no more may be another one's already.
  const memory = host.plugin.slot.isAlive ? host.plugin.root?.vm.memory : undefined;
  seen.push(memory?.size, digest(memory?.readBytes(0, memory.size) ?? Buffer.alloc(0)));
  // Fuel is in the line of a failure; its frames are the same.
  seen.push(host.logs.map(({ message }) => message.replace(/, used \d+ of \d+ fuel/, "")));
  host.close();
  return seen;
}

function digest(bytes: Uint8Array): string {
  return createHash("sha1").update(bytes).digest("hex");
}

async function outcome(options: Options, isMetered: boolean): Promise<readonly unknown[]> {
  const fuel = isMetered ? defaultWasmPolicy.fuel : null;
  const host = await createFilterHost({
    clusters,
    ...options,
    policy: { ...defaultWasmPolicy, fuel },
  });
  const seen = play(host);
  expect(host.stats.counter("wasm.filter.fuel_used").value > 0).toBe(isMetered);
  return seen;
}

/** Root ids and configurations of those that have several, or want one. */
const variants: Readonly<Record<string, readonly Variant[]>> = {
  "rust-rate-limit": [{ config: "3/60" }],
  "rust-shared-queue": [{ config: "" }, { config: "consumer" }],
  "go-plugins": [
    { rootId: "header-edit" },
    { rootId: "ab-routing" },
    { rootId: "counting", config: "100" },
  ],
  // It reads beyond its memory when its configuration is empty.
  "as-solo-0.2.0": [
    { rootId: "header-edit", config: "x" },
    { rootId: "gate", config: "x" },
  ],
};

const committed: (readonly [string, Options])[] = GUESTS.flatMap(({ name }) =>
  (variants[name] ?? [{}]).map(
    (more) => [`${name} ${JSON.stringify(more)}`, { module: modulePath(name), ...more }] as const,
  ),
);

test.each(committed)("%s does the same metered and unmetered", async (_name, options) => {
  const plain = await outcome(options, false);
  expect(await outcome(options, true)).toEqual(plain);
});

const script = [
  "configure set_tick_period 100",
  "configure define_metric 0 ticks",
  "tick increment_metric 4 1",
  "tick#3 http_call up :method=GET,:path=/,:authority=a ~ ~ 1000",
  "http_call_response get_header_map_pairs 6",
  "request_headers get_header_map_pairs 0",
  "request_headers set_shared_data k v 0",
  "request_headers get_shared_data k",
  "request_headers get_property request.path",
  "request_body get_buffer_bytes 0 0 max",
  "response_body get_buffer_bytes 1 0 max",
  "response_headers add_header_map_value 2 x-guest yes",
  "request_headers#5 trap",
  "request_headers#6 recurse",
];

test("the assembly guests of the runtime's tests do, too", async () => {
  const guests: Options[] = [
    { module: await compileGuest("script"), vmConfig: script.join("\n") },
    { module: await compileGuest("auth") },
    { module: await compileGuest("versioned") },
  ];
  for (const options of guests) {
    const plain = await outcome(options, false);
    expect(await outcome(options, true)).toEqual(plain);
  }
});

test("and so does the filter of the quickstart", async () => {
  const { wasm } = await buildFilter(
    fileURLToPath(new URL("../../examples/quickstart", import.meta.url)),
  );
  const options = { module: wasm, config: { greeting: "hi" } };
  const plain = await outcome(options, false);
  expect(await outcome(options, true)).toEqual(plain);
});
