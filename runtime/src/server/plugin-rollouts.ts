// What operators ask of plugins' versions: push, promote, roll back; and what a canary's own
// numbers ask. Each is a change of the configuration like others, one at a time. Made by
// config-updates.ts.
import type { JsonObject, WasmAnswer, WasmPush } from "../admin/admin-delegate.ts";
import { LogLevel } from "../core/logger.ts";
import type { Logger } from "../core/logger.ts";
import type { StatsStore } from "../stats/store.ts";
import { freshSpace } from "../wasm/shared-names.ts";
import { CanaryWatch } from "./canary-watch.ts";
import { DifferenceBook } from "./difference-book.ts";
import { pluginsPage, shadowPage } from "./plugin-page.ts";
import type { PluginVersion, PluginVersions } from "./plugin-registry.ts";
import { ReloadStats } from "./reload-stats.ts";
import { type Rollout, type StoredVersion, storedVersion } from "./rollouts.ts";
import { type TriedVersion, withRollout } from "./rollouts.ts";
import { whyNoShadow } from "./shadow-obstacle.ts";
import type { VersionApplier } from "./version-applier.ts";

export interface PluginRolloutsOptions {
  readonly logger: Logger;
  readonly stats: StatsStore;
  /** Null before the start. */
  readonly applier: () => VersionApplier | null;
  /** Where a guest of that version was stopped last; "" = not known. */
  readonly trapPlace: (plugin: string, version: string) => string;
  /** Keeps the source map of a module by its digest: why not, "" when it is kept. */
  readonly keepMap: (sha256: string, map: Uint8Array) => string;
  readonly dropSpace: (prefix: string) => void;
  /** When its turn comes among other changes. */
  readonly enqueue: <T>(change: () => Promise<T>) => Promise<T>;
}

/** What became of a version. */
interface RolloutEvent {
  readonly at: string;
  readonly version: string;
  readonly what: string;
}

/** Of each plugin, newest first. */
const EVENTS_MAX = 20;

const trialWords: Readonly<Record<TriedVersion["role"], string>> = {
  canary: "is tried",
  shadow: "is in the shadow",
};

export class PluginRollouts {
  readonly #options: PluginRolloutsOptions;
  readonly #stats: ReloadStats;
  /** Of versions in the shadow. */
  readonly differences: DifferenceBook;
  readonly #events: Map<string, readonly RolloutEvent[]>;
  readonly #watch: CanaryWatch;

  constructor(options: PluginRolloutsOptions) {
    this.#options = options;
    this.#stats = new ReloadStats(options.stats, "wasm.push");
    this.#events = new Map();
    this.differences = new DifferenceBook();
    this.#watch = new CanaryWatch({
      plugins: () => options.applier()?.registry.plugins ?? [],
      rollBack: (plugin, version, reason) => {
        const place = options.trapPlace(plugin, version);
        const what = place === "" ? reason : `${reason}; it trapped at ${place}`;
        this.#start(() => this.#rollBack(plugin, version, `rolled back by itself: ${what}`));
      },
      promote: (plugin, version, reason) => {
        this.#start(() => this.#promote(plugin, version, `promoted by itself: ${reason}`));
      },
    });
  }

  close(): void {
    this.#watch.close();
  }

  /** For /wasm/plugins. */
  page(): JsonObject {
    const plugins = this.#options.applier()?.registry.plugins ?? [];
    return pluginsPage(plugins, (plugin) =>
      (this.#events.get(plugin) ?? []).map(({ at, version, what }) => ({ at, version, what })),
    );
  }

  /** For /wasm/plugins/{name}/shadow; null = no plugin has that name. */
  shadowPage(plugin: string): JsonObject | null {
    const known = this.#options.applier()?.registry.find(plugin);
    return known === undefined ? null : shadowPage(known, this.differences.of(plugin));
  }

  push(plugin: string, push: WasmPush): Promise<WasmAnswer> {
    return this.#options.enqueue(() => this.#push(plugin, push));
  }

  /** `version` "" = whichever is tried. */
  promote(plugin: string, version: string): Promise<WasmAnswer> {
    return this.#options.enqueue(() => this.#promote(plugin, version, "promoted"));
  }

  /** `version` "" = the one that is tried, or else the one before the one that serves. */
  rollBack(plugin: string, version: string): Promise<WasmAnswer> {
    return this.#options.enqueue(() => this.#rollBack(plugin, version, "rolled back"));
  }

  async #push(plugin: string, push: WasmPush): Promise<WasmAnswer> {
    const { module, configuration, trial } = push;
    this.#stats.attempt.inc();
    const known = this.#find(plugin);
    if ("status" in known) return this.#refused(known);
    const primary = known.versions.find(({ state }) => state === "primary");
    const bytes = module ?? primary?.bytes;
    if (bytes === undefined) {
      return this.#refused(problem(409, plugin, "it has no module yet: push one"));
    }
    // A module alone replaces the module, and nothing else of what was pushed.
    const settings = configuration ?? primary?.configuration ?? null;
    const source = module === null ? (primary?.source ?? "") : "push";
    const version = this.#versionOf(push, bytes, settings, source, known);
    const mapWarnings = this.#keepMap(version, push);
    if (version.name === primary?.name) {
      if (!push.isFresh) return answer(plugin, version.name, { state: "same" });
      const wish = "expected another one, to begin with nothing shared";
      return this.#refused(problem(409, plugin, `version ${version.name} serves already: ${wish}`));
    }
    if (push.isFresh) this.#options.dropSpace(version.space);
    const before = this.#rolloutOf(known);
    const obstacle = trial?.role === "shadow" ? this.#whyNoShadow(plugin, primary) : "";
    if (obstacle !== "") return this.#refused(problem(409, plugin, obstacle));
    const next: Rollout =
      trial === null
        ? { ...before, primary: version, tried: null }
        : { ...before, tried: { version, ...trial } };
    const what = trial === null ? "serves" : trialWords[trial.role];
    const problems = await this.#apply(plugin, next);
    if (problems.length > 0) {
      const refused = `plugin ${plugin}: version ${version.name} refused, nothing changed`;
      this.#options.logger.log(LogLevel.Error, `${refused}: ${problems.join("; ")}`);
      return this.#refused({ status: 422, page: { plugin, version: version.name, problems } });
    }
    this.#stats.onSuccess();
    if (trial?.role === "shadow") this.differences.forget(plugin, version.name);
    this.#note(plugin, version.name, `pushed, ${what}`);
    const state = trial?.role ?? "primary";
    const findings = await this.#findings(plugin, version.name, mapWarnings);
    const more = { state, replaced: primary?.name ?? null, ...noteOf(next), ...findings };
    return answer(plugin, version.name, more);
  }

  /** What the version before it shares with others is its, too, unless the push says otherwise. */
  #versionOf(
    { isFresh }: WasmPush,
    bytes: Uint8Array,
    settings: Uint8Array | null,
    source: string,
    { name, versions }: PluginVersions,
  ): StoredVersion {
    const space = versions.find(({ state }) => state === "primary")?.space ?? "";
    const version = storedVersion(bytes, settings, source, space);
    return isFresh ? { ...version, space: freshSpace(name, version.name) } : version;
  }

  /** What is wrong with its source map, if one came. */
  #keepMap({ sha256 }: StoredVersion, { sourceMap }: WasmPush): readonly string[] {
    if (sourceMap === null) return [];
    const problem = this.#options.keepMap(sha256, sourceMap);
    return problem === "" ? [] : [`its source map is not used: ${problem}`];
  }

  async #promote(plugin: string, version: string, what: string): Promise<WasmAnswer> {
    const known = this.#find(plugin);
    if ("status" in known) return known;
    const before = this.#rolloutOf(known);
    const { tried } = before;
    if (tried === null || (version !== "" && tried.version.name !== version)) {
      const name = version === "" ? "no version" : `version ${version} is not`;
      const how = "tried as a canary or in the shadow";
      return problem(409, plugin, `${name}${version === "" ? " is" : ""} ${how}`);
    }
    const next = { ...before, primary: tried.version, tried: null };
    const problems = await this.#apply(plugin, next);
    if (problems.length > 0) return refusal(plugin, tried.version.name, problems);
    this.#note(plugin, tried.version.name, what);
    return answer(plugin, tried.version.name, { state: "primary", ...noteOf(next) });
  }

  async #rollBack(plugin: string, version: string, what: string): Promise<WasmAnswer> {
    const known = this.#find(plugin);
    if ("status" in known) return known;
    const before = this.#rolloutOf(known);
    const tried = before.tried?.version.name ?? "";
    const isTrieds = tried !== "" && (version === "" || version === tried);
    if (isTrieds) return await this.#endTrial(plugin, before, tried, what);
    const target = known.versions.find(
      ({ name, state }) => state === "previous" && (version === "" || name === version),
    );
    if (target === undefined) {
      const wanted = version === "" ? "no version" : `no version ${version}`;
      return problem(409, plugin, `${wanted} is there to go back to`);
    }
    const isPlain = target.configuration === null && target.space === "";
    const isConfigured = isPlain && known.configured.has(target.sha256);
    const next = { ...before, primary: isConfigured ? null : target, tried: null };
    const problems = await this.#apply(plugin, next);
    if (problems.length > 0) return refusal(plugin, target.name, problems);
    this.#note(plugin, target.name, `${what}: serves again`);
    return answer(plugin, target.name, { state: "primary", ...noteOf(next) });
  }

  async #endTrial(
    plugin: string,
    before: Rollout,
    version: string,
    what: string,
  ): Promise<WasmAnswer> {
    const problems = await this.#apply(plugin, { ...before, tried: null });
    if (problems.length > 0) return refusal(plugin, version, problems);
    if (before.tried?.role === "canary") {
      this.#options.stats.counter(`wasm.${plugin}.canary_rolled_back`).inc();
    }
    this.#note(plugin, version, what);
    return answer(plugin, version, { state: "previous" });
  }

  async #apply(plugin: string, rollout: Rollout): Promise<readonly string[]> {
    const applier = this.#options.applier();
    const state = applier?.state ?? null;
    if (applier === null || state === null) return ["no configuration is in force yet"];
    const rollouts = withRollout(applier.registry.rollouts, plugin, rollout);
    const problems = await applier.apply(state, { rollouts });
    if (problems.length === 0) this.#watch.follow();
    return [...new Set(problems)];
  }

  /** One plugin, or several of one name that are the same. */
  #find(plugin: string): PluginVersions | WasmAnswer {
    const registry = this.#options.applier()?.registry;
    const known = registry?.find(plugin);
    if (known === undefined) {
      const names = (registry?.plugins ?? []).map(({ name }) => name);
      const there = names.length === 0 ? "there is none" : `there are ${names.join(", ")}`;
      return problem(404, plugin, `no plugin has that name: ${there}`);
    }
    if (known.configured.size <= 1) return known;
    const places = known.where.join(", ");
    const text = `plugins of that name have different modules: give each a name (${places})`;
    return problem(409, plugin, text);
  }

  #rolloutOf({ name, configured }: PluginVersions): Rollout {
    const known = this.#options.applier()?.registry.rollouts.get(name);
    if (known !== undefined) return known;
    return { configured: [...configured][0] ?? "", primary: null, tried: null };
  }

  /** "" = nothing stands in its way. */
  #whyNoShadow(plugin: string, primary: PluginVersion | undefined): string {
    if (primary === undefined) return "it has no module yet, so there is nothing to shadow";
    const snapshot = this.#options.applier()?.snapshot ?? null;
    return snapshot === null ? "" : whyNoShadow(snapshot, plugin);
  }

  /** What `inspect` would tell of the module. */
  async #findings(
    plugin: string,
    version: string,
    mapWarnings: readonly string[],
  ): Promise<JsonObject> {
    const applier = this.#options.applier();
    const versions = applier?.registry.find(plugin)?.versions ?? [];
    const key = versions.find(({ name }) => name === version)?.moduleKey ?? "";
    const module = await applier?.findModule(key);
    if (module === undefined) return {};
    const { abiVersion, memoryPages, producers } = module;
    const warnings = [...module.warnings, ...mapWarnings];
    const { minimum, maximum } = memoryPages;
    const findings = { abi: abiVersion, memory_pages: { minimum, maximum }, producers, warnings };
    return { findings };
  }

  #note(plugin: string, version: string, what: string): void {
    const event = { at: new Date().toISOString(), version, what };
    const before = this.#events.get(plugin) ?? [];
    this.#events.set(plugin, [event, ...before].slice(0, EVENTS_MAX));
    this.#options.logger.log(LogLevel.Info, `plugin ${plugin}: version ${version} ${what}`);
  }

  #refused(refusal: WasmAnswer): WasmAnswer {
    this.#stats.rejected.inc();
    return refusal;
  }

  /** From the watch: nobody waits for the answer. */
  #start(change: () => Promise<WasmAnswer>): void {
    this.#options.enqueue(change).then(
      ({ status, page }) => {
        if (status === 200) return;
        this.#options.logger.log(LogLevel.Error, `a canary stays: ${JSON.stringify(page)}`);
      },
      (error: unknown) => {
        const text = error instanceof Error ? error.stack : String(error);
        this.#options.logger.log(LogLevel.Critical, `a canary stays by a fault of ours: ${text}`);
      },
    );
  }
}

/** A push is not written anywhere: whoever wants to keep it has to. */
function noteOf({ primary }: Rollout): JsonObject {
  if (primary === null) return {};
  const until = "until the process ends or the configured module is another one";
  return { note: `serves ${until}: put it into the configuration to keep it` };
}

function answer(plugin: string, version: string, more: JsonObject): WasmAnswer {
  return { status: 200, page: { plugin, version, ...more } };
}

function problem(status: number, plugin: string, text: string): WasmAnswer {
  return { status, page: { plugin, problems: [text] } };
}

function refusal(plugin: string, version: string, problems: readonly string[]): WasmAnswer {
  return { status: 422, page: { plugin, version, problems } };
}
