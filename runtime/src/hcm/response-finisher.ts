// What every response gets before it leaves: date, server, request id, via; and what it loses.
// Called by ActiveStream; the order of the calls is the order of the headers on the wire.
import { stripResponseHopByHop } from "../codec/http1/hop-by-hop.ts";
import type { HcmConfig } from "../config/snapshot.ts";
import type { Clock } from "../core/clock.ts";
import { HeaderId } from "../core/header-names.ts";
import type { HeaderMap } from "../core/header-map.ts";
import { appendVia } from "./trusted-address.ts";

const MASK_DATE = 1 << HeaderId.Date;
const MASK_SERVER = 1 << HeaderId.Server;

export class ResponseFinisher {
  readonly #clock: Clock;
  readonly #serverName: string;
  readonly #serverLine: string;
  readonly #isServerOverwritten: boolean;
  readonly #isServerAdded: boolean;
  readonly #echoesRequestId: boolean;
  readonly #via: string;

  constructor(config: HcmConfig, clock: Clock) {
    const mode = config.serverHeaderTransformation;
    this.#clock = clock;
    this.#serverName = config.serverName;
    this.#serverLine = `server: ${config.serverName}\r\n`;
    this.#isServerOverwritten = mode === "overwrite";
    this.#isServerAdded = mode !== "pass_through";
    this.#echoesRequestId = config.alwaysSetRequestIdInResponse;
    this.#via = config.via;
  }

  /** `requestHeaders` is null when no head came. */
  finish(headers: HeaderMap, requestHeaders: HeaderMap | null): void {
    const seen = headers.seen;
    if ((seen & MASK_DATE) === 0) headers.setById(HeaderId.Date, this.#clock.httpDate());
    if (this.#isServerOverwritten || (this.#isServerAdded && (seen & MASK_SERVER) === 0)) {
      headers.setLineById(HeaderId.Server, this.#serverName, this.#serverLine);
    }
    stripResponseHopByHop(headers, headers.status === 101);
    if (requestHeaders !== null) this.#echoRequestId(headers, requestHeaders);
    if (this.#via !== "") appendVia(headers, this.#via);
  }

  #echoRequestId(headers: HeaderMap, requestHeaders: HeaderMap): void {
    if (!this.#echoesRequestId && requestHeaders.indexOfId(HeaderId.XEnvoyForceTrace) < 0) return;
    const id = requestHeaders.getById(HeaderId.XRequestId);
    if (id !== undefined && id !== "") headers.setById(HeaderId.XRequestId, id);
  }
}
