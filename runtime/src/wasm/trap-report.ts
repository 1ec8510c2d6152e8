// What a worker tells of a guest that was stopped: the main thread knows its sources and keeps the
// reports. Plain data.
import { MapType } from "proxy-wasm-types";
import type { Context } from "./context.ts";
import type { GuestFrame } from "./guest-frames.ts";
import { type RequestShape, requestShape } from "./request-shape.ts";
import type { StopKind } from "./vm-failure.ts";

/** The stream that a guest was stopped in. */
export interface TrapStream {
  /** As in logs; connections have none of their own. */
  readonly streamId: number;
  /** x-request-id; "" = none. */
  readonly requestId: string;
  /** Null = of a connection. */
  readonly request: RequestShape | null;
}

export interface GuestTrap {
  readonly plugin: string;
  /** config/version-name.ts. */
  readonly version: string;
  readonly moduleKey: string;
  /** As in the log. */
  readonly moduleName: string;
  /** Of its policy; "" = none. */
  readonly debugFile: string;
  readonly stop: StopKind;
  readonly reason: string;
  /** "" = the initialisation, or not known. */
  readonly callback: string;
  /** As the guest knows it; 0 = none. */
  readonly contextId: number;
  /** Null = of no stream: a tick, an answer, a start. */
  readonly stream: TrapStream | null;
  /** Null = it was not metered, or not in the guest. */
  readonly fuelUsed: number | null;
  readonly fuelBudget: number;
  /** How long it had computed since the first 100,000 units of fuel; 0 = it used less. */
  readonly computedMs: number;
  readonly pages: number;
  readonly pagesMax: number;
  /** What it wrote to stderr, or logged as an error, before. */
  readonly lastWords: string;
  /** Innermost first. */
  readonly frames: readonly GuestFrame[];
}

/** Of a context that is not a root; null = of none. */
export function trapStreamOf(context: Context): TrapStream | null {
  const info = context.streamInfo;
  const headers = context.streamMap(MapType.HttpRequestHeaders);
  if (info === null) return null;
  return {
    streamId: info.streamId,
    requestId: headers?.get("x-request-id") ?? "",
    request: headers === null ? null : requestShape(headers),
  };
}
