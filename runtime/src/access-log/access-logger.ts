// Access loggers from configuration: lines to files through sinks, and guests' loggers behind
// filters. Made by server/ for each listener and connection manager of a thread.
import type { AccessLogConfig } from "../config/access-log-config.ts";
import type { Clock } from "../core/clock.ts";
import type { HeaderMap } from "../core/header-map.ts";
import type { Random } from "../core/random.ts";
import type { Runtime } from "../core/runtime.ts";
import type { StreamInfo } from "../core/stream-info.ts";
import type { AccessLogger } from "../filter/access-logger.ts";
import type { SubstitutionFormatConfig } from "../formatter/format-config.ts";
import { FormatContext } from "../formatter/format-context.ts";
import { compileFormat, DEFAULT_LOG_FORMAT } from "../formatter/formatter.ts";
import type { Formatter } from "../formatter/formatter.ts";
import type { FileSink, FileSinks } from "./file-sink.ts";
import { compileLogFilter } from "./log-filter.ts";
import type { LogFilter } from "./log-filter.ts";

export interface AccessLogContext {
  readonly clock: Clock;
  readonly random: Random;
  readonly runtime: Runtime;
  /** For %HOSTNAME%. */
  readonly hostname: string;
  readonly sinks: FileSinks;
  /** The logger of Snapshot.plugins[index]. */
  createWasmLogger(plugin: number): AccessLogger;
}

/** One logger per configuration, in its order. Throws when a file cannot be opened. */
export function createAccessLoggers(
  configs: readonly AccessLogConfig[],
  context: AccessLogContext,
): AccessLogger[] {
  return configs.map((config) => createAccessLogger(config, context));
}

function createAccessLogger(config: AccessLogConfig, context: AccessLogContext): AccessLogger {
  const filter = config.filter === null ? null : compileLogFilter(config.filter, context);
  const sink = config.sink;
  if (sink.kind === "wasm") {
    const logger = context.createWasmLogger(sink.plugin);
    return filter === null ? logger : new FilteredLogger(filter, logger);
  }
  const path = sink.kind === "file" ? sink.path : `/dev/${sink.kind}`;
  const formatter = compileLogFormat(sink.format, context.hostname);
  return new FileAccessLogger(filter, formatter, context.sinks.get(path), context.clock);
}

const defaultFormat: SubstitutionFormatConfig = {
  kind: "text",
  text: DEFAULT_LOG_FORMAT,
  json: null,
  omitEmptyValues: false,
  contentType: "",
};

function compileLogFormat(format: SubstitutionFormatConfig | null, hostname: string): Formatter {
  const compiled = compileFormat(format ?? defaultFormat, hostname);
  if (typeof compiled !== "function") throw new Error(`bad log format: ${compiled.message}`);
  return compiled;
}

/** One line per stream that passes the filter. */
export class FileAccessLogger implements AccessLogger {
  readonly #filter: LogFilter | null;
  readonly #formatter: Formatter;
  readonly #sink: FileSink;
  readonly #context: FormatContext;

  constructor(filter: LogFilter | null, formatter: Formatter, sink: FileSink, clock: Clock) {
    this.#filter = filter;
    this.#formatter = formatter;
    this.#sink = sink;
    this.#context = new FormatContext(clock);
  }

  log(
    info: StreamInfo,
    requestHeaders: HeaderMap | null,
    responseHeaders: HeaderMap | null,
    responseTrailers: HeaderMap | null,
  ): void {
    const filter = this.#filter;
    if (filter !== null && !filter(info, requestHeaders, responseHeaders, responseTrailers)) return;
    const context = this.#context;
    context.set(info, requestHeaders, responseHeaders, responseTrailers);
    this.#sink.write(this.#formatter(context));
    context.clear();
  }
}

class FilteredLogger implements AccessLogger {
  readonly #filter: LogFilter;
  readonly #logger: AccessLogger;

  constructor(filter: LogFilter, logger: AccessLogger) {
    this.#filter = filter;
    this.#logger = logger;
  }

  log(
    info: StreamInfo,
    requestHeaders: HeaderMap | null,
    responseHeaders: HeaderMap | null,
    responseTrailers: HeaderMap | null,
  ): void {
    if (!this.#filter(info, requestHeaders, responseHeaders, responseTrailers)) return;
    this.#logger.log(info, requestHeaders, responseHeaders, responseTrailers);
  }
}
