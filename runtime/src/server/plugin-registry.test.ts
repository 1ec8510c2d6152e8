import { expect, test } from "vitest";
import type { Snapshot, WasmPluginConfig } from "../config/snapshot.ts";
import type { PluginModules } from "./plugin-modules.ts";
import { PluginRegistry } from "./plugin-registry.ts";

type Plugins = readonly (readonly [name: string, letter: string])[];

/** Plugins by name, each with the first letter of its module's sha256. */
function modulesOf(...plugins: Plugins): PluginModules {
  const digest = (letter: string): string => letter.repeat(64);
  const code = {
    remote: null,
    filename: "f.wasm",
    watchedDirectory: "",
    inlineBytes: null,
    sha256: "",
  };
  const configs = plugins.map(([name, letter], at) => {
    const moduleKey = letter === "" ? "" : `${digest(letter)} metered`;
    return { name, where: `plugins[${at}]`, code, moduleKey } as WasmPluginConfig;
  });
  const modules = new Map(
    plugins.map(([, letter]) => [
      `${digest(letter)} metered`,
      { sha256: digest(letter), key: `${digest(letter)} metered` },
    ]),
  );
  return {
    snapshot: { plugins: configs } as unknown as Snapshot,
    modules,
  } as unknown as PluginModules;
}

function stateOf(registry: PluginRegistry): string[] {
  return registry.plugins.map(({ name, versions }) => {
    const list = versions.map((one) => `${one.name.slice(0, 2)} ${one.state} ${one.sinceMs}`);
    return `${name}: ${list.join(", ")}`;
  });
}

test("a version that was replaced is remembered, and goes on counting when it comes back", () => {
  let now = 1;
  const registry = new PluginRegistry(1, () => now);
  const apply = (...plugins: Plugins): PluginModules => {
    const dressed = registry.dress(modulesOf(...plugins));
    registry.commit(dressed);
    now += 1;
    return dressed;
  };
  const first = apply(["one", "a"], ["two", "b"], ["none", ""]);
  expect(first.snapshot.plugins.map(({ version }) => version?.name)).toEqual([
    "aaaaaaaaaaaa",
    "bbbbbbbbbbbb",
    undefined,
  ]);
  expect(stateOf(registry)).toEqual(["none: ", "one: aa primary 1", "two: bb primary 1"]);
  apply(["one", "c"], ["two", "b"]);
  expect(stateOf(registry)).toEqual(["one: cc primary 2, aa previous 2", "two: bb primary 1"]);
  // What is made and never committed leaves nothing.
  registry.dress(modulesOf(["one", "d"]));
  const back = apply(["one", "a"]);
  expect(stateOf(registry)).toEqual(["one: aa primary 3, cc previous 3"]);
  const counts = first.snapshot.plugins[0]?.version?.counts;
  expect(back.snapshot.plugins[0]?.version?.counts).toBe(counts);
  for (const letter of "bdef0123") apply(["one", letter]);
  expect(registry.plugins[0]?.versions).toHaveLength(6);
});
