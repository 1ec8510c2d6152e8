// What every response gets before it leaves, local replies too: date, server, request id, via; and
// what goes no further. The order of the steps is the order of the headers on the wire. Called by
// ActiveStream.
import { HOP_BY_HOP_MASK, isUpgrade, stripResponseHopByHop } from "../codec/http1/hop-by-hop.ts";
import type { HcmConfig } from "../config/snapshot.ts";
import type { Clock } from "../core/clock.ts";
import { HeaderId } from "../core/header-names.ts";
import type { HeaderMap } from "../core/header-map.ts";
import { appendVia, joinResponseLines } from "./joined-headers.ts";

const DATE_BIT: number = 1 << HeaderId.Date;
const SERVER_BIT: number = 1 << HeaderId.Server;

export class ResponseFinisher {
  readonly #clock: Clock;
  readonly #serverName: string;
  readonly #serverLine: string;
  readonly #overwritesServer: boolean;
  readonly #addsServer: boolean;
  readonly #echoesRequestId: boolean;
  readonly #via: string;
  readonly #viaLine: string;
  #date: string = "";
  #dateLine: string = "";

  constructor(config: HcmConfig, clock: Clock) {
    const mode = config.serverHeaderTransformation;
    this.#clock = clock;
    this.#serverName = config.serverName;
    this.#serverLine = `server: ${config.serverName}\r\n`;
    this.#overwritesServer = mode === "overwrite";
    this.#addsServer = mode !== "pass_through";
    this.#echoesRequestId = config.alwaysSetRequestIdInResponse;
    this.#via = config.via;
    this.#viaLine = `via: ${config.via}\r\n`;
  }

  /** A date that came is kept. `requestHeaders` is null when no head came. */
  finish(headers: HeaderMap, requestHeaders: HeaderMap | null): void {
    joinResponseLines(headers);
    const seen = headers.seen;
    if ((seen & DATE_BIT) === 0) this.#setDate(headers);
    if (this.#overwritesServer || (this.#addsServer && (seen & SERVER_BIT) === 0)) {
      headers.setLineById(HeaderId.Server, this.#serverName, this.#serverLine);
    }
    if ((seen & HOP_BY_HOP_MASK) !== 0) {
      const keeps = requestHeaders !== null && isUpgrade(requestHeaders) && isUpgrade(headers);
      stripResponseHopByHop(headers, keeps);
    }
    if (requestHeaders !== null) this.#echoRequestId(headers, requestHeaders);
    if (this.#via !== "") appendVia(headers, this.#via, this.#viaLine);
  }

  #setDate(headers: HeaderMap): void {
    const date = this.#clock.httpDate();
    if (date !== this.#date) {
      this.#date = date;
      this.#dateLine = `date: ${date}\r\n`;
    }
    headers.setLineById(HeaderId.Date, date, this.#dateLine);
  }

  /** Internal clients that force a trace get the id, too; of others the header was stripped. */
  #echoRequestId(headers: HeaderMap, requestHeaders: HeaderMap): void {
    if (!this.#echoesRequestId && requestHeaders.indexOfId(HeaderId.XEnvoyForceTrace) < 0) return;
    const id = requestHeaders.getById(HeaderId.XRequestId);
    if (id !== undefined && id !== "") headers.setById(HeaderId.XRequestId, id);
  }
}
