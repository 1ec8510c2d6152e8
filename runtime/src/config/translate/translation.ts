// What the translators of one configuration share: where problems go, what they have gathered.
import type { ConfigNode } from "../config-node.ts";
import type { ProblemList } from "../problem-list.ts";
import type { WasmPluginConfig } from "../snapshot.ts";

export interface TranslationOptions {
  /** --ignore-unsupported: what is valid but not implemented is a warning. */
  readonly ignoreUnsupported: boolean;
}

export class Translation {
  readonly problems: ProblemList;
  /** Plugins so far; filters and loggers name them by index. */
  readonly plugins: WasmPluginConfig[];
  readonly #ignoreUnsupported: boolean;

  constructor(problems: ProblemList, options: TranslationOptions) {
    this.problems = problems;
    this.plugins = [];
    this.#ignoreUnsupported = options.ignoreUnsupported;
  }

  /** The configuration is wrong: always an error. */
  wrong(node: ConfigNode, message: string, field?: string): void {
    node.report(this.problems, message, field, "value");
  }

  /** Envoy would take it, Headgate does not implement it (yet): an error, or a warning if asked for. */
  unsupported(node: ConfigNode, what: string, field?: string): void {
    const message = `${what} is not implemented by Headgate`;
    if (this.#ignoreUnsupported) node.warn(this.problems, message, field);
    else node.report(this.problems, message, field, "value");
  }

  addPlugin(plugin: WasmPluginConfig): number {
    this.plugins.push(plugin);
    return this.plugins.length - 1;
  }
}

/** Milliseconds as an integer: at least 1 when the text said more than nothing. */
export function wholeMs(ms: number): number {
  return ms > 0 && ms < 1 ? 1 : Math.round(ms);
}

export function durationOr(node: ConfigNode | undefined, field: string, fallback: number): number {
  const ms = node?.durationMs(field);
  return ms === undefined ? fallback : wholeMs(ms);
}
