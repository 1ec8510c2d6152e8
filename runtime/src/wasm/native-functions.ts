// Foreign functions for the filters that come with Headgate and stand for native ones of Envoy:
// what Envoy gives those, and guests of others do not have. Served by server/.
import { MapType, Status } from "proxy-wasm-types";
import type { HeaderMap } from "../core/header-map.ts";
import type { StreamInfo } from "../core/stream-info.ts";
import type { Context } from "./context.ts";
import type { ForeignFunction, ForeignResult } from "./foreign-functions.ts";

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

const NOTHING: Buffer = Buffer.alloc(0);
const HIT: Buffer = Buffer.of(1);
const MISS: Buffer = Buffer.of(0);

/** Text in, text out; called while the plugin is configured it checks the format. */
function substituteFormat(context: Context, args: Buffer): ForeignResult {
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
  const text = native.format(args.toString("latin1"), stream);
  return text === null ? Status.BadArgument : Buffer.from(text, "latin1");
}

/** Parts per million in four bytes, little-endian, and the key: one byte, 1 = hit. */
function runtimeFraction(context: Context, args: Buffer): ForeignResult {
  const native = context.vm.services.native;
  if (native === null) return Status.NotFound;
  if (args.length < 4) return Status.BadArgument;
  return native.isHit(args.toString("latin1", 4), args.readUInt32LE(0)) ? HIT : MISS;
}

/** Namespace, key and text, with a zero between each: for logs, matchers and other filters. */
function setMetadata(context: Context, args: Buffer): ForeignResult {
  const namespaceEnd = args.indexOf(0);
  const keyEnd = namespaceEnd < 0 ? -1 : args.indexOf(0, namespaceEnd + 1);
  if (keyEnd < 0) return Status.BadArgument;
  const namespace = args.toString("utf8", 0, namespaceEnd);
  const key = args.toString("utf8", namespaceEnd + 1, keyEnd);
  const value = args.toString("utf8", keyEnd + 1);
  return context.setDynamicMetadata(namespace, key, value) ? NOTHING : Status.BadArgument;
}

export const nativeFunctions: ReadonlyMap<string, ForeignFunction> = new Map([
  ["substitute_format", substituteFormat],
  ["runtime_fraction", runtimeFraction],
  ["set_dynamic_metadata", setMetadata],
]);
