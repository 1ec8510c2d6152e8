// Whose calls are logged, in the main thread: what /wasm/trace shows and changes. Workers get all
// rules by message; a guest goes on as it is, with its memory and its streams.
import type { WasmTrace } from "../admin/admin-delegate.ts";
import type { WasmPluginConfig } from "../config/snapshot.ts";
import {
  TRACE_ALL,
  type TraceRule,
  traceRuleText,
  withTraceEvery,
  withTraceHeader,
} from "../config/trace-rule.ts";
import type { WasmPolicy } from "../config/wasm-policy.ts";
import type { GuestTraceRules, ToWorker } from "./protocol.ts";

export interface TraceControlOptions {
  /** Those in force. */
  readonly plugins: () => readonly WasmPluginConfig[];
  readonly broadcast: (message: ToWorker) => void;
}

export class TraceControl {
  readonly #options: TraceControlOptions;
  /** Of plugins in force, or that were at the last change. */
  #rules: GuestTraceRules;

  constructor(options: TraceControlOptions) {
    this.#options = options;
    this.#rules = new Map();
  }

  /** Every plugin once, with who is traced of it. */
  list(): readonly WasmTrace[] {
    const policies = new Map(this.#options.plugins().map(({ name, policy }) => [name, policy]));
    return [...policies.keys()].toSorted().map((name) => {
      const policy = policies.get(name) as WasmPolicy;
      const switched = this.#rules.get(name);
      const rule = switched === undefined ? policy.trace : switched;
      return {
        plugin: name,
        trace: rule === null ? "off" : traceRuleText(rule),
        isSwitched: switched !== undefined,
      };
    });
  }

  /** `every` and `header` as they came, "" = not said. Answers what is wrong, "" = done. */
  switchOn(plugin: string, every: string, header: string): string {
    let rule: TraceRule | string = TRACE_ALL;
    if (every !== "") rule = withTraceEvery(rule, every);
    if (typeof rule === "string") return `every: ${rule}`;
    if (header !== "") rule = withTraceHeader(rule, header);
    return typeof rule === "string" ? `header: ${rule}` : this.#set(plugin, rule);
  }

  switchOff(plugin: string): string {
    return this.#set(plugin, null);
  }

  /** Why nothing comes of a trace of that plugin; "" = there is one of that name. */
  unknown(plugin: string): string {
    const names = this.#names();
    if (names.has(plugin)) return "";
    const list = [...names].toSorted().join(", ");
    const known = list === "" ? "there are none" : `the plugins are: ${list}`;
    return `no wasm plugin has the name "${plugin}"; ${known}`;
  }

  /** For workers that come later. */
  message(): ToWorker {
    return { type: "guest_traces", rules: this.#rules };
  }

  #names(): ReadonlySet<string> {
    return new Set(this.#options.plugins().map(({ name }) => name));
  }

  #set(plugin: string, rule: TraceRule | null): string {
    const problem = this.unknown(plugin);
    if (problem !== "") return problem;
    // Those of plugins that are gone go: there are never more than plugins.
    const names = this.#names();
    const kept = [...this.#rules].filter(([name]) => names.has(name));
    this.#rules = new Map([...kept, [plugin, rule]]);
    this.#options.broadcast(this.message());
    return "";
  }
}
