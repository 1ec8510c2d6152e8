// Access-log filters, compiled once: which finished streams are logged. Used by access loggers, and
// by hcm for the mappers of local replies.
import type { AccessLogFilterConfig, ComparisonOp } from "../config/access-log-config.ts";
import type { Clock } from "../core/clock.ts";
import { HeaderMap } from "../core/header-map.ts";
import type { Random } from "../core/random.ts";
import { RuntimeInteger } from "../core/runtime.ts";
import type { Runtime } from "../core/runtime.ts";
import type { StreamInfo } from "../core/stream-info.ts";
import { grpcStatusOf } from "../formatter/grpc-status.ts";
import { compileHeaderMatch } from "../matcher/header-matcher.ts";

/** True = the stream passes. Maps are null when they never came. */
export type LogFilter = (
  info: StreamInfo,
  requestHeaders: HeaderMap | null,
  responseHeaders: HeaderMap | null,
  responseTrailers: HeaderMap | null,
) => boolean;

export interface LogFilterContext {
  readonly clock: Clock;
  readonly random: Random;
  readonly runtime: Runtime;
}

/** Status that the gRPC filter takes for a stream without any. */
const GRPC_UNKNOWN = 2;

const noHeaders = new HeaderMap();

export function compileLogFilter(
  config: AccessLogFilterConfig,
  context: LogFilterContext,
): LogFilter {
  switch (config.kind) {
    case "status_code": {
      const compare = comparison(config, context);
      return (info) => compare(info.responseCode);
    }
    case "duration":
      return durationFilter(comparison(config, context), context.clock);
    case "not_health_check":
      return (info) => !info.healthCheck;
    case "traceable":
      // A stream is traceable by the tracing decision only, and this build takes none.
      return () => false;
    case "runtime":
      return runtimeFilter(config, context);
    case "and":
    case "or":
      return combined(
        config.filters.map((filter) => compileLogFilter(filter, context)),
        config.kind === "or",
      );
    case "header": {
      const predicate = compileHeaderMatch(config.header);
      return (_info, requestHeaders) => predicate.matches(requestHeaders ?? noHeaders);
    }
    case "response_flag": {
      const flags = config.flags;
      if (flags === 0) return (info) => info.responseFlags !== 0;
      return (info) => (info.responseFlags & flags) !== 0;
    }
    case "grpc_status":
      return grpcStatusFilter(config.statuses, config.exclude);
  }
}

type Comparison = Extract<AccessLogFilterConfig, { readonly op: ComparisonOp }>;

function comparison(config: Comparison, context: LogFilterContext): (actual: number) => boolean {
  const wanted = new RuntimeInteger(context.runtime, config.runtimeKey, config.value);
  switch (config.op) {
    case "eq":
      return (actual) => actual === wanted.value;
    case "ge":
      return (actual) => actual >= wanted.value;
    case "le":
      return (actual) => actual <= wanted.value;
    case "ne":
      return (actual) => actual !== wanted.value;
  }
}

/** Whole milliseconds, up to now while the stream runs. */
function durationFilter(compare: (actual: number) => boolean, clock: Clock): LogFilter {
  return (info) => {
    if (info.startMs < 0) return false;
    const endMs = info.endMs < 0 ? clock.nowMs : info.endMs;
    return compare(Math.trunc(endMs - info.startMs));
  };
}

/**
 * The request id decides, so that all proxies on a request's way log the same ones; without one, or
 * when asked to, chance does.
 */
function runtimeFilter(
  config: Extract<AccessLogFilterConfig, { readonly kind: "runtime" }>,
  { random, runtime }: LogFilterContext,
): LogFilter {
  const { denominator, useIndependentRandomness } = config;
  const numerator = new RuntimeInteger(runtime, config.runtimeKey, config.numerator);
  return (_info, requestHeaders) => {
    const id = useIndependentRandomness ? -1 : numberOfRequestId(requestHeaders);
    return (id < 0 ? random.u32() : id) % denominator < numerator.value;
  };
}

/** The id's first 8 hexadecimal digits; -1 when there is no such id. */
function numberOfRequestId(requestHeaders: HeaderMap | null): number {
  const id = requestHeaders?.get("x-request-id");
  if (id === undefined || !/^[0-9a-fA-F]{8}/.test(id)) return -1;
  return Number.parseInt(id.slice(0, 8), 16);
}

/** Stops at the first filter that answers `decisive`. */
function combined(filters: readonly LogFilter[], decisive: boolean): LogFilter {
  return (info, requestHeaders, responseHeaders, responseTrailers) => {
    for (let i = 0; i < filters.length; i += 1) {
      const filter = filters[i] as LogFilter;
      if (filter(info, requestHeaders, responseHeaders, responseTrailers) === decisive) {
        return decisive;
      }
    }
    return !decisive;
  };
}

function grpcStatusFilter(statuses: readonly number[], exclude: boolean): LogFilter {
  return (info, _requestHeaders, responseHeaders, responseTrailers) => {
    const status = grpcStatusOf(info, responseHeaders, responseTrailers) ?? GRPC_UNKNOWN;
    return statuses.includes(status) !== exclude;
  };
}
