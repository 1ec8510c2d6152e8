// A plugin whose module could not be fetched yet: what its streams and connections meet is what
// they meet when a VM is dead. Another module, when it comes, takes its place.
import type { WasmPluginConfig } from "../config/snapshot.ts";
import type { AccessLogger } from "../filter/access-logger.ts";
import {
  FilterDataStatus,
  FilterHeadersStatus,
  FilterTrailersStatus,
} from "../filter/filter-status.ts";
import { FilterWants, type HttpFilter, type HttpFilterCallbacks } from "../filter/http-filter.ts";
import { NetworkFilterStatus } from "../filter/network-filter.ts";
import type { PassingFilterCallbacks, PassingNetworkFilter } from "../filter/network-filter.ts";
import { FAIL_STREAM, isSkippedWhenDead } from "./failure-policy.ts";

export class AbsentPlugin {
  readonly config: WasmPluginConfig;

  constructor(config: WasmPluginConfig) {
    this.config = config;
  }

  createHttpFilter(): HttpFilter | null {
    return isSkippedWhenDead(this.config) ? null : new FailingHttpFilter();
  }

  createNetworkFilter(callbacks: PassingFilterCallbacks): PassingNetworkFilter | null {
    return isSkippedWhenDead(this.config) ? null : new FailingNetworkFilter(callbacks);
  }

  createAccessLogger(): AccessLogger {
    return SILENT_LOGGER;
  }

  begin(): void {}

  /** Nobody is to be told. */
  drain(): void {}
}

const SILENT_LOGGER: AccessLogger = { log(): void {} };

/** Answers the stream when its headers come. */
class FailingHttpFilter implements HttpFilter {
  readonly wants: number = FilterWants.DecodeHeaders;
  #callbacks: HttpFilterCallbacks | null = null;

  attach(callbacks: HttpFilterCallbacks): void {
    this.#callbacks = callbacks;
  }

  decodeHeaders(): FilterHeadersStatus {
    this.#callbacks?.sendLocalReply(FAIL_STREAM);
    return FilterHeadersStatus.StopAllIterationAndWatermark;
  }

  decodeData(): FilterDataStatus {
    return FilterDataStatus.StopIterationNoBuffer;
  }

  decodeTrailers(): FilterTrailersStatus {
    return FilterTrailersStatus.StopIteration;
  }

  encodeHeaders(): FilterHeadersStatus {
    return FilterHeadersStatus.Continue;
  }

  encodeData(): FilterDataStatus {
    return FilterDataStatus.Continue;
  }

  encodeTrailers(): FilterTrailersStatus {
    return FilterTrailersStatus.Continue;
  }

  onLog(): void {}

  onDestroy(): void {}
}

/** Closes the connection before anything is read. */
class FailingNetworkFilter implements PassingNetworkFilter {
  readonly #callbacks: PassingFilterCallbacks;

  constructor(callbacks: PassingFilterCallbacks) {
    this.#callbacks = callbacks;
  }

  onNewConnection(): NetworkFilterStatus {
    this.#callbacks.closeAfterFlush(0);
    return NetworkFilterStatus.StopIteration;
  }

  onData(): NetworkFilterStatus {
    return NetworkFilterStatus.StopIteration;
  }

  onWrite(): NetworkFilterStatus {
    return NetworkFilterStatus.Continue;
  }

  onClose(): void {}
}
