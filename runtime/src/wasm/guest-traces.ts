// What the switch of the admin interface says of this thread's plugins, above their policies.
import type { TraceRule } from "../config/trace-rule.ts";
import type { WasmPolicy } from "../config/wasm-policy.ts";

export class GuestTraces {
  /** By the plugins' names; null = not traced, whatever the policy says. */
  rules: ReadonlyMap<string, TraceRule | null>;

  constructor() {
    this.rules = new Map();
  }

  /** Null = its calls are not logged. */
  ruleOf(plugin: string, policy: WasmPolicy): TraceRule | null {
    const rule = this.rules.get(plugin);
    return rule === undefined ? policy.trace : rule;
  }
}
