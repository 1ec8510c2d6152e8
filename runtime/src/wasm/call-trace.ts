// The live trace of a plugin: a line for each callback and hostcall with arguments, answer and
// time. A VM of which that is wanted puts these functions in the place of its own, and takes them
// out again: without a trace there is nothing of it in anybody's way.
import {
  BufferType,
  findCallback,
  findHostcall,
  MapType,
  type Param,
  wasiFunctions,
} from "proxy-wasm-types";
import { configurationWithoutSecrets, REDACTED } from "../config/sensitive-fields.ts";
import type { TraceRule } from "../config/trace-rule.ts";
import { LogLevel } from "../core/logger.ts";
import {
  answerText,
  argumentsText,
  type CallArgument,
  type Cleaner,
  errnoText,
  outcomeText,
  statusText,
} from "./call-text.ts";
import type { CallObserver } from "./call-observer.ts";
import type { Context } from "./context.ts";
import type { GuestFunction } from "./guest-exports.ts";
import { markFunction } from "./guest-mark.ts";
import type { HostFunction } from "./hostcalls/guard.ts";
import type { Vm } from "./vm.ts";

type AnyFunction = (...args: CallArgument[]) => number | void;

const WINDOW_MS = 1000;

export class CallTrace implements CallObserver {
  readonly #vm: Vm;
  /** Streams that were asked about: a guest may change the headers that chose them. */
  readonly #chosen: WeakMap<Context, boolean>;
  #windowStartMs: number = 0;
  #lines: number = 0;
  #leftOut: number = 0;

  constructor(vm: Vm) {
    this.#vm = vm;
    this.#chosen = new WeakMap();
    this.#windowStartMs = vm.services.clock.nowMs;
  }

  /** The export, with a line before and after. */
  callback(name: string, inner: GuestFunction): GuestFunction {
    const params = findCallback(name, this.#vm.abiVersion)?.params ?? [];
    const hasAnswer = (findCallback(name, this.#vm.abiVersion)?.results.length ?? 0) > 0;
    const traced: GuestFunction = (a, b, c, d, e) => {
      if (!this.#isChosen) return inner(a, b, c, d, e);
      this.#write(`${name}(${argumentsText(this.#vm.memory, params, [a, b, c, d, e])})`);
      const startMs = this.#nowMs();
      let outcome = "the guest is stopped";
      try {
        const answer = inner(a, b, c, d, e);
        outcome = hasAnswer ? answerText(name, Number(answer)) : "returned";
        return answer;
      } finally {
        this.#write(`${name} -> ${outcome}, ${this.#microseconds(startMs)}`);
      }
    };
    markFunction(traced, name);
    return traced;
  }

  /** The implementation, with a line after it. To stand inside of the guard, which catches all. */
  hostcall(name: string, implementation: HostFunction): HostFunction {
    const row = findHostcall(name) ?? wasiFunctions.find((one) => one.name === name);
    const params: readonly Param[] = row?.params ?? [];
    const statusOf = findHostcall(name) === undefined ? errnoText : statusText;
    const inner = implementation as AnyFunction;
    const traced: AnyFunction = (...args) => {
      if (!this.#isChosen) return inner(...args);
      const { memory } = this.#vm;
      // Before the call: its answer may lie where its arguments lay.
      const given = `${name}(${argumentsText(memory, params, args)})`;
      const startMs = this.#nowMs();
      let outcome = "the guest is stopped";
      try {
        const status = inner(...args);
        const told = typeof status === "number" ? statusOf(status) : "returned";
        const clean = this.#cleanerOf(name, args);
        outcome = status === 0 ? told + outcomeText(memory, params, args, clean) : told;
        return status;
      } finally {
        this.#write(`  ${given} -> ${outcome}, ${this.#microseconds(startMs)}`);
      }
    };
    return traced as HostFunction;
  }

  /** What a guest is told of its configuration may hold secrets; a native filter's is no text. */
  #cleanerOf(name: string, [buffer]: readonly CallArgument[]): Cleaner | undefined {
    const isConfiguration =
      name === "proxy_get_configuration" ||
      (name === "proxy_get_buffer_bytes" &&
        (buffer === BufferType.VmConfiguration || buffer === BufferType.PluginConfiguration));
    if (!isConfiguration) return undefined;
    return this.#vm.settings.native === null ? configurationWithoutSecrets : (): string => REDACTED;
  }

  /** Whether the running callback is to be shown: of a root context, it always is. */
  get #isChosen(): boolean {
    if (!this.#vm.log.wants(LogLevel.Info)) return false;
    const { current: context, services, settings } = this.#vm;
    if (context === null) return true;
    const rule = services.traces.ruleOf(context.plugin.name, settings.policy);
    if (rule === null) return false;
    if (context.root === context) return true;
    if (context.id % rule.every !== 0) return false;
    return rule.header === "" || this.#hasHeader(context, rule);
  }

  #hasHeader(context: Context, { header, value }: TraceRule): boolean {
    const known = this.#chosen.get(context);
    if (known !== undefined) return known;
    const found = context.streamMap(MapType.HttpRequestHeaders)?.get(header);
    const isChosen = found !== undefined && (value === null || found === value);
    this.#chosen.set(context, isChosen);
    return isChosen;
  }

  #nowMs(): number {
    return this.#vm.services.clock.preciseMs();
  }

  #microseconds(startMs: number): string {
    return `${Math.round((this.#nowMs() - startMs) * 1000)} us`;
  }

  #write(text: string): void {
    const { log, limits, settings, services, current } = this.#vm;
    const { nowMs } = services.clock;
    const who = current === null ? settings.moduleName : `${current.plugin.name} ${current.id}`;
    if (nowMs - this.#windowStartMs >= WINDOW_MS) {
      this.#windowStartMs = nowMs;
      this.#lines = 0;
      if (this.#leftOut > 0) {
        log.host(LogLevel.Info, `wasm trace ${who}: ${this.#leftOut} lines were left out`);
      }
      this.#leftOut = 0;
    }
    this.#lines += 1;
    if (limits.allows("traceLinesPerSecond", this.#lines, current?.plugin ?? null)) {
      log.host(LogLevel.Info, `wasm trace ${who}: ${text}`);
    } else this.#leftOut += 1;
  }
}
