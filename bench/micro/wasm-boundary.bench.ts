// What a wasm filter costs a stream, alone: create, request, response, log, done, delete. The guest
// reads user-agent and sets x-filter; "by hand" is in text format, without contexts; "bare" is on the
// bare ABI, "sdk" as a user writes it.
import { readFileSync } from "node:fs";
import { defaultWasmPolicy, type WasmPolicy } from "../../runtime/src/config/wasm-policy.ts";
import { HeaderMap } from "../../runtime/src/core/header-map.ts";
import type { HttpFilter } from "../../runtime/src/filter/http-filter.ts";
import { createFilterHost, type FilterHost } from "../../runtime/test/harness.ts";
import { buildFilter, type FilterKind } from "../filter/build.ts";
import { chainOfNothing } from "./chain-of-nothing.ts";
import type { MicroBench } from "./runner.ts";

const requestHeaders = new HeaderMap();
const responseHeaders = new HeaderMap();

const { callbacks } = chainOfNothing(requestHeaders, responseHeaders);

const AGENT = "benchmark/1.0 (linux; x86_64; a)";

/** A request's and a response's maps as they come; its cost is a row of its own. */
function fill(): void {
  requestHeaders.reset();
  requestHeaders.method = "GET";
  requestHeaders.path = "/api/v1/users/123456";
  requestHeaders.authority = "service.example.com";
  requestHeaders.append("user-agent", AGENT);
  requestHeaders.append("accept", "*/*");
  responseHeaders.reset();
  responseHeaders.status = 200;
}

function runFilter(filter: HttpFilter, position: number): void {
  filter.attach(callbacks, position);
  filter.decodeHeaders(requestHeaders, true);
  if ((filter.wants & 8) !== 0) filter.encodeHeaders(responseHeaders, true);
}

function streams(hosts: readonly FilterHost[]): (times: number) => number {
  const plugins = hosts.map((host) => host.plugin);
  return (times) => {
    let sum = 0;
    for (let i = 0; i < times; i += 1) {
      fill();
      for (const plugin of plugins) {
        const filter = plugin.createHttpFilter();
        if (filter === null) throw new Error("no filter");
        runFilter(filter, 0);
        filter.onLog();
        filter.onDestroy();
      }
      sum += requestHeaders.size;
    }
    return sum;
  };
}

async function hostsOf(
  kind: FilterKind,
  count: number,
  policy: WasmPolicy = defaultWasmPolicy,
): Promise<FilterHost[]> {
  const module = readFileSync(await buildFilter(kind));
  const hosts: FilterHost[] = [];
  for (let i = 0; i < count; i += 1) hosts.push(await createFilterHost({ module, policy }));
  return hosts;
}

const unmetered: WasmPolicy = { ...defaultWasmPolicy, fuel: null };

export const benches: readonly MicroBench[] = [
  {
    name: "the maps alone (to be taken off the rows below)",
    run(times): number {
      let sum = 0;
      for (let i = 0; i < times; i += 1) {
        fill();
        sum += requestHeaders.size;
      }
      return sum;
    },
  },
  { name: "one filter, by hand", run: streams(await hostsOf("hand", 1)) },
  { name: "one filter, by hand, no fuel", run: streams(await hostsOf("hand", 1, unmetered)) },
  { name: "one filter, bare", run: streams(await hostsOf("bare", 1)) },
  { name: "five filters, bare, five VMs", run: streams(await hostsOf("bare", 5)) },
  { name: "one filter, bare, no fuel", run: streams(await hostsOf("bare", 1, unmetered)) },
  { name: "one filter, sdk", run: streams(await hostsOf("sdk", 1)) },
  { name: "five filters, sdk, five VMs", run: streams(await hostsOf("sdk", 5)) },
  { name: "one filter, sdk, no fuel", run: streams(await hostsOf("sdk", 1, unmetered)) },
];
