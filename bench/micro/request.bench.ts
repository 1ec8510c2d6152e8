// A whole request through all rooms, as whole-request.ts has it, with filters of headers.
import { buildFilter, buildNativeFilters } from "../filter/build.ts";
import { NATIVE_FILTERS } from "../configs.ts";
import type { MicroBench } from "./runner.ts";
import { wholeRequests } from "./whole-request.ts";

const module = await buildFilter("sdk");
await buildNativeFilters();

async function ownFilter(filter: (typeof NATIVE_FILTERS)[number]): Promise<MicroBench> {
  return {
    name: `our ${filter}`,
    run: await wholeRequests({ kind: "native", count: 1, filter }, module),
  };
}

export const benches: readonly MicroBench[] = [
  { name: "router only", run: await wholeRequests({ kind: "none" }, module) },
  { name: "access log", run: await wholeRequests({ kind: "log" }, module) },
  { name: "one wasm filter", run: await wholeRequests({ kind: "wasm", count: 1 }, module) },
  { name: "five wasm filters", run: await wholeRequests({ kind: "wasm", count: 5 }, module) },
  ...(await Promise.all(NATIVE_FILTERS.map(ownFilter))),
];
