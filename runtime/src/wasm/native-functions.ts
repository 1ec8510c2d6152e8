// Foreign functions for the filters that come with Headgate and stand for native ones of Envoy:
// what Envoy gives those, and guests of others do not have. Served by server/.
import { MapType, Status } from "proxy-wasm-types";
import type { HeaderMap } from "../core/header-map.ts";
import type { StreamInfo } from "../core/stream-info.ts";
import type { Context } from "./context.ts";

/**
 * Bytes in and out as latin1 text: most streams have the same arguments, and what is made of them
 * is text already.
 */
export type TextFunction = (context: Context, args: string) => string | Status;

export interface NativeServices {
  /**
   * A text with %COMMANDS% for this stream, both latin1; null = the text is no format. Without a
   * stream it is only checked.
   */
  format(text: string, stream: FormattedStream | null): string | null;
  /** Whether a runtime fraction is hit now; `fallbackPpm` holds where the key says nothing. */
  isHit(key: string, fallbackPpm: number): boolean;
}

export interface FormattedStream {
  readonly info: StreamInfo;
  readonly requestHeaders: HeaderMap | null;
  readonly responseHeaders: HeaderMap | null;
  readonly responseTrailers: HeaderMap | null;
}

const HIT = "\u0001";
const MISS = "\u0000";
/** UTF-8 that is the same in latin1. */
const ASCII = /^[\0-\x7f]*$/;

/** Text in, text out; called while the plugin is configured it checks the format. */
function substituteFormat(context: Context, args: string): string | Status {
  const native = context.vm.services.native;
  if (native === null) return Status.NotFound;
  const info = context.streamInfo;
  const stream =
    info === null
      ? null
      : {
          info,
          requestHeaders: context.streamMap(MapType.HttpRequestHeaders),
          responseHeaders: context.streamMap(MapType.HttpResponseHeaders),
          responseTrailers: context.streamMap(MapType.HttpResponseTrailers),
        };
  return native.format(args, stream) ?? Status.BadArgument;
}

/** Parts per million in four bytes, little-endian, and the key: one byte, 1 = hit. */
function runtimeFraction(context: Context, args: string): string | Status {
  const native = context.vm.services.native;
  if (native === null) return Status.NotFound;
  if (args.length < 4) return Status.BadArgument;
  const ppm = Buffer.from(args.slice(0, 4), "latin1").readUInt32LE(0);
  return native.isHit(args.slice(4), ppm) ? HIT : MISS;
}

/** Namespace, key and text, with a zero between each: for logs, matchers and other filters. */
function setMetadata(context: Context, args: string): string | Status {
  const text = ASCII.test(args) ? args : Buffer.from(args, "latin1").toString("utf8");
  const namespaceEnd = text.indexOf("\0");
  const keyEnd = namespaceEnd < 0 ? -1 : text.indexOf("\0", namespaceEnd + 1);
  if (keyEnd < 0) return Status.BadArgument;
  const namespace = text.slice(0, namespaceEnd);
  const key = text.slice(namespaceEnd + 1, keyEnd);
  const value = text.slice(keyEnd + 1);
  return context.setDynamicMetadata(namespace, key, value) ? "" : Status.BadArgument;
}

export const nativeFunctions: ReadonlyMap<string, TextFunction> = new Map([
  ["substitute_format", substituteFormat],
  ["runtime_fraction", runtimeFraction],
  ["set_dynamic_metadata", setMetadata],
]);
