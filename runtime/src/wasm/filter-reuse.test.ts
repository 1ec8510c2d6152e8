// Filters serve one stream after another: each finds a new one, and nothing of the last stream.
import { expect, test } from "vitest";
import { HeaderMap } from "../core/header-map.ts";
import { StreamInfo } from "../core/stream-info.ts";
import { FilterHeadersStatus } from "../filter/filter-status.ts";
import type { HttpFilter, HttpFilterCallbacks } from "../filter/http-filter.ts";
import { WasmHttpFilter } from "./http-filter.ts";
import { asPlugin, wasmHostRig } from "./wasm-host-for-test.ts";

/** A chain that knows no more than what the filter's end and its failure ask. */
function chain(changes: Partial<HttpFilterCallbacks> = {}): HttpFilterCallbacks {
  const known = {
    streamInfo: new StreamInfo(),
    clearRouteCache: () => {},
    requestHeaders: () => null,
    sendLocalReply: () => {},
  };
  return { ...known, ...changes } as HttpFilterCallbacks;
}

function asWasm(filter: HttpFilter | null): WasmHttpFilter {
  if (filter instanceof WasmHttpFilter) return filter;
  throw new Error("no filter");
}

/** All fields but those that say which filter it is. */
function stateOf(filter: WasmHttpFilter): Record<string, unknown> {
  const left = new Set(["vm", "plugin", "position"]);
  return Object.fromEntries(Object.entries(filter).filter(([name]) => !left.has(name)));
}

test("a filter whose stream is over is the next stream's, as new, with another id", async () => {
  const { host, prepare, messages } = await wasmHostRig(
    "request_headers return 1\nrequest_headers replace_header_map_value 0 a b",
  );
  const plugin = asPlugin(prepare({}));
  const first = asWasm(plugin.createHttpFilter());
  const second = asWasm(plugin.createHttpFilter());
  expect(second).not.toBe(first);
  const fresh = stateOf(second);
  first.attach(chain(), 0);
  expect(first.decodeHeaders(new HeaderMap(), true)).not.toBe(FilterHeadersStatus.Continue);
  first.onLog();
  first.onDestroy();
  expect(asWasm(plugin.createHttpFilter())).toBe(first);
  expect(stateOf(first)).toEqual(fresh);
  first.onLog();
  expect(messages().filter((line) => line.startsWith("create"))).toEqual([
    "create(2,1)",
    "create(3,1)",
  ]);
  expect(plugin.createHttpFilter()).not.toBe(first);
  host.close();
});

test("a stream that the guest holds when the drain time is over is answered, others are left alone", async () => {
  const script = "request_headers#1 return 1";
  for (const [more, expected] of [
    [{}, ["503 wasm_fail_stream"]],
    [{ failOpenLegacy: true }, ["goes on"]],
  ] as const) {
    const { host, prepare, tick } = await wasmHostRig(script);
    const plugin = asPlugin(prepare(more));
    const done: string[] = [];
    const begin = (): FilterHeadersStatus => {
      const filter = asWasm(plugin.createHttpFilter());
      const sendLocalReply: HttpFilterCallbacks["sendLocalReply"] = ({ status, details }) => {
        done.push(`${status} ${details}`);
      };
      const continueDecoding = (): void => {
        done.push("goes on");
      };
      filter.attach(chain({ sendLocalReply, continueDecoding }), 0);
      return filter.decodeHeaders(new HeaderMap(), true);
    };
    expect(begin()).not.toBe(FilterHeadersStatus.Continue);
    expect(begin()).toBe(FilterHeadersStatus.Continue);
    plugin.drain();
    tick(1900);
    expect(done).toEqual([]);
    tick(200);
    expect(done).toEqual(expected);
    host.close();
  }
});

test("what the last stream asked for and is not done yet does not touch the next one", async () => {
  const { host, prepare } = await wasmHostRig("");
  const plugin = asPlugin(prepare({}));
  const { root } = plugin;
  const filter = asWasm(plugin.createHttpFilter());
  const done: string[] = [];
  const next = chain({ continueDecoding: () => done.push("the next one goes on") });
  // The reset ends the stream, and its connection begins another one at once.
  const resetStream = (): void => {
    done.push("reset");
    filter.onDestroy();
    asWasm(plugin.createHttpFilter()).attach(next, 0);
    filter.onLog();
  };
  filter.attach(chain({ resetStream }), 0);
  filter.decodeHeaders(new HeaderMap(), true);
  const asks = (): number => {
    filter.closeStream();
    filter.continueStream(true);
    return 0;
  };
  if (root === null) throw new Error("no root");
  root.vm.call(root, asks, 0, 0, 0, 0, 0);
  expect(done).toEqual(["reset"]);
  expect(filter.callbacks).toBe(next);
  host.close();
});

test("filters of a dead VM are not used again, and only so many wait", async () => {
  const { host, prepare } = await wasmHostRig("request_headers trap");
  const plugin = asPlugin(prepare({}));
  const many = Array.from({ length: 200 }, () => asWasm(plugin.createHttpFilter()));
  for (const filter of many) filter.onDestroy();
  const again = Array.from({ length: 200 }, () => asWasm(plugin.createHttpFilter()));
  expect(again.filter((filter) => many.includes(filter))).toHaveLength(128);
  const [trapped, other] = again as [WasmHttpFilter, WasmHttpFilter];
  trapped.attach(chain(), 0);
  trapped.decodeHeaders(new HeaderMap(), true);
  trapped.onDestroy();
  other.onDestroy();
  expect([trapped, other]).not.toContain(plugin.createHttpFilter());
  host.close();
});
