// One xDS subscription to a file: reads it when it has changed, hands the response on, and counts
// what became of it. Made by server/ for LDS, CDS, and each RDS, EDS and SDS resource.
import { existsSync } from "node:fs";
import { ConfigErrors, describeProblem } from "../config/config-error.ts";
import type { ConfigProblem } from "../config/config-error.ts";
import { loadDiscovery } from "../config/discovery-loader.ts";
import type { LoadedDiscovery } from "../config/discovery-loader.ts";
import type { Schema } from "../config/schema.ts";
import type { ConfigSourceConfig } from "../config/snapshot.ts";
import { LogLevel } from "../core/logger.ts";
import type { Logger } from "../core/logger.ts";
import { PathWatcher } from "./path-watcher.ts";
import type { SubscriptionStats } from "./subscription-stats.ts";

/** What all subscriptions of the process share. */
export interface SubscriptionContext {
  readonly schema: Schema;
  readonly logger: Logger;
  readonly rejectUnknownFields: boolean;
  /** Unknown fields that were let pass. */
  readonly onUnknownFields: (count: number) => void;
  /** Changes of the configuration are done one after the other. */
  readonly enqueue: (change: () => Promise<void>) => void;
}

export interface SubscriptionOptions {
  /** "LDS"; in lower case it begins the paths of fields in messages. */
  readonly kind: "LDS" | "CDS" | "RDS" | "EDS" | "SDS";
  readonly source: ConfigSourceConfig;
  /** Full name of the message that each resource is. */
  readonly typeName: string;
  readonly stats: SubscriptionStats;
  /**
   * Puts a response in force. Answers with what is wrong, or throws ConfigErrors; nothing has
   * changed then.
   */
  readonly apply: (discovery: LoadedDiscovery) => Promise<readonly string[]>;
}

export class FileSubscription {
  readonly #context: SubscriptionContext;
  readonly #options: SubscriptionOptions;
  readonly #watcher: PathWatcher;
  #isWaiting: boolean;
  #isClosed: boolean = false;

  constructor(context: SubscriptionContext, options: SubscriptionOptions) {
    this.#context = context;
    this.#options = options;
    this.#isWaiting = false;
    this.#watcher = new PathWatcher(options.source, () => {
      // One that waits for its turn will read what is there then.
      if (this.#isWaiting) return;
      this.#isWaiting = true;
      context.enqueue(() => this.poll());
    });
  }

  /** Reads the file and applies it. A file that is not there changes nothing. */
  async poll(): Promise<void> {
    const { source, stats, kind } = this.#options;
    this.#isWaiting = false;
    if (this.#isClosed || !existsSync(source.path)) return;
    stats.attempt.inc();
    const discovery = await this.#load();
    if (discovery === null || this.#isClosed) return;
    const problems = await this.#apply(discovery);
    if (problems.length > 0) {
      stats.rejected.inc();
      this.#log(LogLevel.Warning, `${kind} update rejected, nothing changed: ${joined(problems)}`);
      return;
    }
    stats.onSuccess(discovery.versionInfo);
    this.#log(LogLevel.Debug, `${kind} update from ${source.path}: "${discovery.versionInfo}"`);
  }

  close(): void {
    this.#isClosed = true;
    this.#watcher.close();
  }

  /** Null when it is no response: counted and logged. */
  async #load(): Promise<LoadedDiscovery | null> {
    const { schema, rejectUnknownFields, onUnknownFields } = this.#context;
    const { source, kind, typeName, stats } = this.#options;
    const prefix = kind.toLowerCase();
    try {
      const input = { path: source.path, schema, prefix, typeName, rejectUnknownFields };
      const discovery = await loadDiscovery(input);
      logWarnings(this.#context.logger, discovery.warnings);
      if (discovery.unknownFieldCount > 0) onUnknownFields(discovery.unknownFieldCount);
      return discovery;
    } catch (error) {
      if (!(error instanceof ConfigErrors)) throw error;
      stats.failure.inc();
      this.#log(LogLevel.Warning, `${kind} update failed, nothing changed: ${error.message}`);
      return null;
    }
  }

  async #apply(discovery: LoadedDiscovery): Promise<readonly string[]> {
    try {
      return await this.#options.apply(discovery);
    } catch (error) {
      if (!(error instanceof ConfigErrors)) throw error;
      return [error.message];
    }
  }

  #log(level: LogLevel, text: string): void {
    this.#context.logger.log(level, text);
  }
}

/** What was let pass in a response. */
export function logWarnings(logger: Logger, warnings: readonly ConfigProblem[]): void {
  for (const warning of warnings) logger.log(LogLevel.Warning, describeProblem(warning));
}

function joined(problems: readonly string[]): string {
  return problems.length === 1 ? (problems[0] as string) : `\n${problems.join("\n")}`;
}
