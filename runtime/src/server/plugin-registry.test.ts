import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import type { Snapshot, WasmPluginConfig } from "../config/snapshot.ts";
import { defaultWasmPolicy } from "../config/wasm-policy.ts";
import { ModuleError } from "../module/module-error.ts";
import type { LoadedModule } from "../module/module-loader.ts";
import type { PluginModules } from "./plugin-modules.ts";
import { PluginRegistry } from "./plugin-registry.ts";
import type { DressedModules, LoadBytes } from "./plugin-registry.ts";
import { storedVersion, withRollout } from "./rollouts.ts";
import type { Rollouts } from "./rollouts.ts";

type Plugins = readonly (readonly [name: string, module: string])[];

const code = { remote: null, filename: "f", watchedDirectory: "", inlineBytes: null, sha256: "" };

function moduleOf(text: string): LoadedModule {
  const sha256 = createHash("sha256").update(text).digest("hex");
  return { sha256, key: `${sha256} metered`, bytes: Buffer.from(text) } as unknown as LoadedModule;
}

/** The text of a module that nobody can load. */
const BAD = "bad";

const loadBytes: LoadBytes = (name, bytes) => {
  const text = Buffer.from(bytes).toString();
  return text === BAD
    ? Promise.reject(new ModuleError(name, ["is bad"]))
    : Promise.resolve(moduleOf(text));
};

/** Plugins by name, each with the text of its module; "" = it has none. */
function loaded(plugins: Plugins): PluginModules {
  const configs = plugins.map(([name, text], at): object => {
    const moduleKey = text === "" ? "" : moduleOf(text).key;
    return { name, where: `plugins[${at}]`, code, moduleKey, policy: defaultWasmPolicy };
  });
  const byPlugin = new Map(
    plugins.flatMap(([name, text]) => (text === "" ? [] : [[name, moduleOf(text)] as const])),
  );
  const snapshot = { plugins: configs as WasmPluginConfig[] } as unknown as Snapshot;
  return { snapshot, byPlugin, problems: [] } as unknown as PluginModules;
}

class World {
  now: number = 1;
  forgotten: number = 0;
  readonly registry: PluginRegistry = new PluginRegistry(
    1,
    () => this.now,
    () => {},
    (versions) => (this.forgotten += versions),
  );

  async apply(
    plugins: Plugins,
    rollouts: Rollouts = this.registry.rollouts,
  ): Promise<DressedModules> {
    const dressed = await this.registry.dress(loaded(plugins), rollouts, loadBytes);
    if (dressed.problems.length === 0) this.registry.commit(dressed);
    this.now += 1;
    return dressed;
  }

  /** By the first letters of their modules. */
  get states(): string[] {
    return this.registry.plugins.map(({ name, versions }) => {
      const list = versions.map(({ bytes, state, sinceMs }) => {
        return `${Buffer.from(bytes).toString()} ${state} ${sinceMs}`;
      });
      return `${name}: ${list.join(", ")}`;
    });
  }
}

test("a version that was replaced is remembered, and goes on counting when it comes back", async () => {
  const world = new World();
  const first = await world.apply([
    ["one", "a"],
    ["two", "b"],
    ["none", ""],
  ]);
  const names = first.snapshot.plugins.map(({ version }) => version?.name);
  expect(names).toEqual([
    moduleOf("a").sha256.slice(0, 12),
    moduleOf("b").sha256.slice(0, 12),
    undefined,
  ]);
  expect(world.states).toEqual(["none: ", "one: a primary 1", "two: b primary 1"]);
  await world.apply([
    ["one", "c"],
    ["two", "b"],
  ]);
  expect(world.states).toEqual(["one: c primary 2, a previous 2", "two: b primary 1"]);
  // What is made and never committed leaves nothing.
  await world.registry.dress(loaded([["one", "d"]]), new Map(), loadBytes);
  const back = await world.apply([["one", "a"]]);
  expect(world.states).toEqual(["one: a primary 3, c previous 3"]);
  const counts = first.snapshot.plugins[0]?.version?.counts;
  expect(back.snapshot.plugins[0]?.version?.counts).toBe(counts);
  expect(world.forgotten).toBe(0);
  for (const letter of "bdef0123") await world.apply([["one", letter]]);
  expect(world.registry.plugins[0]?.versions).toHaveLength(6);
  expect(world.forgotten).toBe(10 - 6);
});

test("however much is pushed, the configured version is there to go back to", async () => {
  const world = new World();
  await world.apply([["one", "a"]]);
  const configured = moduleOf("a").sha256;
  for (const letter of "bcdef012") {
    const primary = storedVersion(Buffer.from(letter), null, "push");
    const rollouts = withRollout(new Map(), "one", { configured, primary, tried: null });
    await world.apply([["one", "a"]], rollouts);
  }
  const [, versions = ""] = (world.states[0] ?? "").split(": ");
  expect(
    versions
      .split(", ")
      .map((version) => version.charAt(0))
      .join(""),
  ).toBe("210feda");
});

test("what was pushed serves until the configured module is another one", async () => {
  const world = new World();
  const { apply, registry } = { apply: world.apply.bind(world), registry: world.registry };
  await apply([
    ["one", "a"],
    ["two", "a"],
  ]);
  const configured = moduleOf("a").sha256;
  const pushed = storedVersion(Buffer.from("p"), Buffer.from("{}"), "push");
  expect(pushed.name).toMatch(/^[0-9a-f]{12}-[0-9a-f]{4}$/);
  const over = { configured, primary: pushed, tried: null };
  const dressed = await apply(
    [
      ["one", "a"],
      ["two", "a"],
    ],
    withRollout(new Map(), "one", over),
  );
  expect(world.states).toEqual(["one: p primary 2, a previous 2", "two: a primary 1"]);
  const [one, two] = dressed.snapshot.plugins;
  expect(Buffer.from(one?.version?.configuration ?? []).toString()).toBe("{}");
  expect([one?.moduleKey, two?.moduleKey]).toEqual([moduleOf("p").key, moduleOf("a").key]);
  // A reload with the same module changes nothing; a canary stands beside what serves.
  const sticky = { kind: "stream" } as const;
  const share = { perTenThousand: 100, match: null, sticky };
  const version = storedVersion(Buffer.from("c"), null, "push");
  const tried = { ...over, tried: { role: "canary" as const, version, share, isPromoted: false } };
  await apply(
    [
      ["one", "a"],
      ["two", "a"],
    ],
    withRollout(registry.rollouts, "one", tried),
  );
  await apply([
    ["one", "a"],
    ["two", "a"],
  ]);
  expect(world.states[0]).toBe("one: p primary 2, c canary 3, a previous 2");
  // A module that is no good, or another name, ends nothing.
  const bad = { ...over, primary: storedVersion(Buffer.from(BAD), null, "push") };
  const refused = await apply(
    [
      ["one", "a"],
      ["two", "a"],
    ],
    withRollout(new Map(), "one", bad),
  );
  expect(refused.problems).toEqual([
    { path: "plugins[0]", message: `version ${bad.primary.name} of plugin one: is bad` },
  ]);
  await apply([
    ["one", "a"],
    ["two", "b"],
  ]);
  expect(registry.rollouts.size).toBe(1);
  await apply([
    ["one", "n"],
    ["two", "b"],
  ]);
  expect(world.states[0]).toMatch(/^one: n primary 7, (p|c) previous 7, (p|c) previous 7, a/);
  expect(registry.rollouts.size).toBe(0);
});
