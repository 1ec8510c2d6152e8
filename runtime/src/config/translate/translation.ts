// What the translators of one configuration share: where problems go, what they have gathered.
import type { ConfigNode } from "../config-node.ts";
import type { ProblemList } from "../problem-list.ts";
import { type CatalogueFilter, FilterCatalogue } from "../filter-catalogue.ts";
import type { Json } from "../message-value.ts";
import type { WasmPluginConfig } from "../snapshot.ts";
import type { RdsChain } from "./rds-chain.ts";
import { StaticSecrets } from "./secret-need.ts";
import type { SecretNeed } from "./secret-need.ts";

export interface TranslationOptions {
  /** --ignore-unsupported: what is valid but not implemented is a warning. */
  readonly ignoreUnsupported: boolean;
  /** --wasm-struct-as-json. Default false: guests get the message, as from Envoy. */
  readonly wasmStructAsJson?: boolean;
  /** Secrets of the bootstrap. Default: none. */
  readonly staticSecrets?: StaticSecrets;
  /** Filters that come with the program. Default: what is installed. */
  readonly catalogue?: FilterCatalogue | undefined;
}

/** A plugin that runs one of our own filters. */
export interface CataloguedPlugin {
  readonly entry: CatalogueFilter;
  /** The chain's configuration of it. */
  readonly filter: Json;
}

export class Translation {
  readonly problems: ProblemList;
  /** Plugins so far; filters and loggers name them by index. */
  readonly plugins: WasmPluginConfig[];
  /** Secrets so far that may change by themselves; contexts name them by key. */
  readonly secrets: SecretNeed[];
  readonly staticSecrets: StaticSecrets;
  /** Chains so far whose routes come by RDS. */
  readonly rdsChains: RdsChain[];
  /** The resource that is read. */
  readonly owner: string;
  readonly #ignoreUnsupported: boolean;
  readonly wasmStructAsJson: boolean;
  /** By the plugins' indexes. */
  readonly catalogued: Map<number, CataloguedPlugin>;
  #catalogue: FilterCatalogue | null;

  constructor(problems: ProblemList, options: TranslationOptions, owner = "") {
    this.problems = problems;
    this.plugins = [];
    this.secrets = [];
    this.rdsChains = [];
    this.owner = owner;
    this.staticSecrets = options.staticSecrets ?? new StaticSecrets([]);
    this.#ignoreUnsupported = options.ignoreUnsupported;
    this.wasmStructAsJson = options.wasmStructAsJson ?? false;
    this.catalogued = new Map();
    this.#catalogue = options.catalogue ?? null;
  }

  /** Read when a configuration first names a filter that is not wasm. */
  get catalogue(): FilterCatalogue {
    this.#catalogue ??= FilterCatalogue.installed();
    return this.#catalogue;
  }

  /** For a resource of its own: the same list of problems, plugins counted from 0, no secrets. */
  ofResource(owner = ""): Translation {
    const { staticSecrets, wasmStructAsJson } = this;
    const ignoreUnsupported = this.#ignoreUnsupported;
    const catalogue = this.#catalogue ?? undefined;
    const options = { ignoreUnsupported, wasmStructAsJson, staticSecrets, catalogue };
    return new Translation(this.problems, options, owner);
  }

  /** The configuration is wrong: always an error. */
  wrong(node: ConfigNode, message: string, field?: string): void {
    node.report(this.problems, message, field, "value");
  }

  /** Taken, but probably not meant so. */
  warn(node: ConfigNode, message: string, field?: string): void {
    node.warn(this.problems, message, field);
  }

  /**
   * A field that must be there, and of which there is nothing to read. When it is set to something
   * wrong, the reading of the text has reported that already.
   */
  missing(node: ConfigNode, field: string): void {
    if (!node.has(field)) this.wrong(node, "not set: value is required", field);
    else if (node.hasEffect(field)) this.wrong(node, 'found no "@type" in it', field);
  }

  /**
   * Envoy would take it, Headgate does not implement it (yet): an error, or a warning if asked for.
   */
  unsupported(node: ConfigNode, what: string, field?: string): void {
    this.unsupportedText(node, `${what} is not implemented by Headgate`, field);
  }

  /** As `unsupported`, in the caller's words. */
  unsupportedText(node: ConfigNode, message: string, field?: string): void {
    if (this.#ignoreUnsupported) node.warn(this.problems, message, field);
    else node.report(this.problems, message, field, "value");
  }

  /**
   * As `unsupported`, but --ignore-unsupported does not help: without it somebody could get what
   * the configuration denies him. `why` says how, in a half sentence.
   */
  guarded(node: ConfigNode, what: string, why: string, field?: string): void {
    const message = `${what === "" ? "" : `${what} is `}not implemented by Headgate`;
    const more = `, and --ignore-unsupported does not cover it: ${why}`;
    this.wrong(node, this.#ignoreUnsupported ? message + more : message, field);
  }

  addPlugin(plugin: WasmPluginConfig): number {
    this.plugins.push(plugin);
    return this.plugins.length - 1;
  }
}

/** Whole milliseconds, fractions cut off; at least 1 when the text said more than nothing. */
export function wholeMs(ms: number): number {
  return ms > 0 && ms < 1 ? 1 : Math.trunc(ms);
}

/** A duration field in whole milliseconds, or the fallback when it is not set. */
export function durationOr(node: ConfigNode | undefined, field: string, fallback: number): number {
  const ms = node?.durationMs(field);
  return ms === undefined ? fallback : wholeMs(ms);
}

/** A name as it stands in the names of stats: Envoy replaces what its sinks could misread. */
export function statText(name: string): string {
  return name.replaceAll("://", "_").replaceAll(":/", "_").replaceAll(/[:\0]/g, "_");
}

/** Configuration text is UTF-8; on the wire each byte is one character of a latin1 text. */
export function toLatin1(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}
