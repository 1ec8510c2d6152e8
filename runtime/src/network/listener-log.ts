// A listener's access log in one worker: a line for each connection when it has ended, whichever
// chain took it, and for each that none took. What its terminal filter knows of it as a whole
// stands in ConnectionInfo.stream; requests are the connection manager's to log.
import type { Clock } from "../core/clock.ts";
import type { ConnectionInfo } from "../core/connection-info.ts";
import { ResponseFlag } from "../core/response-flags.ts";
import { StreamInfo } from "../core/stream-info.ts";
import type { AccessLogger } from "../filter/access-logger.ts";

export class ListenerLog {
  readonly #loggers: readonly AccessLogger[];
  readonly #clock: Clock;

  constructor(loggers: readonly AccessLogger[], clock: Clock) {
    this.#loggers = loggers;
    this.#clock = clock;
  }

  /** Accepted: who serves it says from now on what becomes of it. */
  begin(info: ConnectionInfo): void {
    const stream = new StreamInfo();
    stream.reset(info, 0, info.startMs);
    info.stream = stream;
  }

  writeUnmatched(info: ConnectionInfo): void {
    if (info.stream === null) return;
    info.stream.responseFlags |= ResponseFlag.NoRouteFound;
    info.stream.responseCodeDetails = "filter_chain_not_found";
    this.write(info);
  }

  /** It has ended: the last that is said of it. */
  write(info: ConnectionInfo): void {
    const { stream } = info;
    if (stream === null) return;
    info.stream = null;
    if (info.transportFailureReason === "") info.transportFailureReason = info.helloFailureReason;
    stream.accessLogType = "NotSet";
    stream.endMs = this.#clock.nowMs;
    stream.filterChainName = info.filterChainName;
    stream.connectionTerminationDetails = info.terminationDetails;
    stream.dynamicMetadata = info.dynamicMetadata;
    for (let i = 0; i < this.#loggers.length; i += 1) {
      (this.#loggers[i] as AccessLogger).log(stream, null, null, null);
    }
  }
}
