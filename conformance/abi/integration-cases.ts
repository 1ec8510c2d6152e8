// The exports that prepare a module and give it memory; see abi-versions, "integration".
import type { AbiVersion } from "proxy-wasm-types";
import { expect } from "vitest";
import { call } from "./guest.ts";
import { start } from "./rig.ts";

type Integration = (version: AbiVersion) => Promise<void>;

async function traceOf(version: AbiVersion, ...names: string[]): Promise<readonly string[]> {
  const callbacks = Object.fromEntries(names.map((name) => [name, {}]));
  const played = await start({ version, callbacks });
  return played.trace;
}

async function allocates(version: AbiVersion, allocatorName: string): Promise<void> {
  const callbacks = {
    proxy_on_request_headers: { calls: [call("proxy_get_header_map_value", 0, ":path")] },
  };
  const played = await start({ version, callbacks, allocatorName });
  played.request({ path: "/room" });
  expect(played.answers).toEqual(["Ok [/room]"]);
}

export const integrationCases: Readonly<Record<string, Integration>> = {
  _initialize: async (version) => {
    const trace = await traceOf(version, "_start", "proxy_on_configure", "_initialize");
    expect(trace).toEqual(["_initialize()", "proxy_on_configure(1,0)"]);
  },
  main: async (version) => {
    expect(await traceOf(version, "__main_void", "main", "_initialize")).toEqual([
      "_initialize()",
      "main(0,0)",
    ]);
    expect(await traceOf(version, "main")).toEqual([]);
  },
  __main_void: async (version) => {
    const trace = await traceOf(version, "__main_void", "_initialize");
    expect(trace).toEqual(["_initialize()", "__main_void()"]);
    expect(await traceOf(version, "__main_void")).toEqual([]);
  },
  _start: async (version) => {
    const trace = await traceOf(version, "proxy_on_configure", "_start");
    expect(trace).toEqual(["_start()", "proxy_on_configure(1,0)"]);
  },
  malloc: (version) => allocates(version, "malloc"),
  proxy_on_memory_allocate: (version) => allocates(version, "proxy_on_memory_allocate"),
};
