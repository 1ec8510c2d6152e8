import { expect, test, vi } from "vitest";
import type { ListenerResource } from "../config/translate/assemble-snapshot.ts";
import type { LoadedConfig } from "./config-loading.ts";
import { emptyState, withBootstrap, withDynamicListeners } from "./desired-state.ts";
import type { DesiredState } from "./desired-state.ts";

/** As much of a listener as the state looks at. */
function listener(name: string, statPrefix = "", where = ""): ListenerResource {
  const config = { name, statPrefix, where } as ListenerResource["config"];
  return { node: null as never, config, plugins: [], secrets: [], rdsChains: [] };
}

function bootstrap(...listeners: readonly ListenerResource[]): LoadedConfig {
  return { listeners, clusters: [] } as unknown as LoadedConfig;
}

function textOf(state: DesiredState): string[] {
  return state.listeners.map(({ resource, isDynamic, versionInfo, lastUpdated }) => {
    const kind = isDynamic ? `lds ${versionInfo}` : "static";
    return `${resource.config.name} ${kind} ${lastUpdated.slice(17, 19)}`;
  });
}

test("what comes again as it was keeps its version and its time", () => {
  vi.useFakeTimers({ now: new Date("2026-01-01T00:00:01Z") });
  const one = bootstrap(listener("a"), listener("b"));
  let state = withBootstrap(emptyState(one), one);
  state = withDynamicListeners(state, [listener("x"), listener("y")], "v1");
  vi.setSystemTime(new Date("2026-01-01T00:00:02Z"));
  // "b" moved in the file, "a" is another one; the response repeats "x" and changes "y".
  const two = bootstrap(listener("b", "", "listeners[0]"), listener("a", "changed"));
  state = withBootstrap(state, two);
  state = withDynamicListeners(state, [listener("x"), listener("y", "changed")], "v2");
  expect(textOf(state)).toEqual(["b static 01", "a static 02", "x lds v1 01", "y lds v2 02"]);
  expect(state.listeners[0]?.resource.config.where).toBe("listeners[0]");
  expect(state.ldsVersion).toBe("v2");
  vi.useRealTimers();
});

test("a response is the whole state; static listeners win over it", () => {
  const one = bootstrap(listener("a"));
  let state = withBootstrap(emptyState(one), one);
  state = withDynamicListeners(state, [listener("x"), listener("a", "other")], "v1");
  expect(state.listeners.map((held) => held.resource.config.name)).toEqual(["a", "x"]);
  state = withDynamicListeners(state, [listener("y")], "v2");
  expect(state.listeners.map((held) => held.resource.config.name)).toEqual(["a", "y"]);
  // One that becomes static is the bootstrap's from then on.
  state = withBootstrap(state, bootstrap(listener("y")));
  expect(textOf(state).map((text) => text.slice(0, -3))).toEqual(["y static"]);
});
