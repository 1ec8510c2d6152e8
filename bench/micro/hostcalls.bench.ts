// What each common hostcall costs, without the way into the guest: 1000 calls in a loop of the guest, as
// ns for one. "the loop alone" is to be taken off the rows below.
import { encodePairs } from "proxy-wasm-types";
import { HeaderMap } from "../../runtime/src/core/header-map.ts";
import { createFilterHost, type FilterHostOptions } from "../../runtime/test/harness.ts";
import { chainOfNothing } from "./chain-of-nothing.ts";
import { COUNT_AT, type LoopedCall, loopGuest } from "./hostcall-guest.ts";
import type { MicroBench } from "./runner.ts";

/** Calls in one stream: enough that the way into the guest does not count. */
const CALLS_MAX = 1000;

type Options = Partial<Omit<FilterHostOptions, "module">>;

function call(name: string, ...args: LoopedCall["args"]): LoopedCall {
  return { name: `proxy_${name}`, args };
}

async function bench(
  name: string,
  looped: LoopedCall | null,
  before: readonly LoopedCall[] = [],
  options: Options = {},
): Promise<MicroBench> {
  const module = loopGuest(looped, before);
  const host = await createFilterHost({ logLevel: "error", ...options, module });
  const headers = new HeaderMap();
  const { callbacks } = chainOfNothing(headers, new HeaderMap());
  return {
    name,
    run(times): number {
      let sum = 0;
      for (let left = times; left > 0; left -= CALLS_MAX) {
        host.plugin.root?.vm.memory.writeU32(COUNT_AT, Math.min(left, CALLS_MAX));
        headers.reset();
        headers.method = "GET";
        headers.path = "/api/v1/users/123456";
        headers.authority = "service.example.com";
        headers.append("user-agent", "benchmark/1.0 (linux; x86_64; a)");
        headers.append("x-own", "1");
        const filter = host.plugin.createHttpFilter();
        if (filter === null) throw new Error("no filter");
        filter.attach(callbacks, 0);
        sum += filter.decodeHeaders(headers, true);
        filter.onDestroy();
      }
      return sum;
    },
  };
}

const counter = [call("define_metric", 0, "counter")];
const gauge = [call("define_metric", 1, "gauge")];
const histogram = [call("define_metric", 2, "histogram")];
const shared = [call("set_shared_data", "key", "value", 0)];
const config = { vmConfig: "x".repeat(100) };
const list = Buffer.from(encodePairs([":path", "/", "a", "b"])).toString();

export const benches: readonly MicroBench[] = [
  await bench("the loop alone", null),
  await bench("proxy_log, filtered by level", call("log", 2, "a message of some length")),
  await bench("proxy_get_log_level", call("get_log_level")),
  await bench("proxy_get_current_time_nanoseconds", call("get_current_time_nanoseconds")),
  await bench("proxy_get_header_map_value, known", call("get_header_map_value", 0, "user-agent")),
  await bench("proxy_get_header_map_value, other", call("get_header_map_value", 0, "x-own")),
  await bench("proxy_get_header_map_value, absent", call("get_header_map_value", 0, "x-none")),
  await bench("proxy_replace_header_map_value", call("replace_header_map_value", 0, "x-own", "2")),
  await bench("proxy_remove_header_map_value, absent", call("remove_header_map_value", 0, "x")),
  await bench("proxy_get_header_map_pairs, 5", call("get_header_map_pairs", 0)),
  await bench("proxy_set_header_map_pairs, 2", call("set_header_map_pairs", 0, list)),
  await bench("proxy_get_buffer_bytes, 100 bytes", call("get_buffer_bytes", 6, 0, 100), [], config),
  await bench("proxy_get_property, request.path", call("get_property", "request\0path")),
  await bench("proxy_get_property, a guest's own", call("get_property", "mine"), []),
  await bench("proxy_set_property", call("set_property", "mine", "value")),
  await bench("proxy_increment_metric, counter", call("increment_metric", 4, 1), counter),
  await bench("proxy_increment_metric, gauge", call("increment_metric", 5, 1), gauge),
  await bench("proxy_record_metric, histogram", call("record_metric", 6, 10), histogram),
  await bench("proxy_get_shared_data", call("get_shared_data", "key"), shared),
  await bench("proxy_set_shared_data", call("set_shared_data", "key", "value", 0)),
];
