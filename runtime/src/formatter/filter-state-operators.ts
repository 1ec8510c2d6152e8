// %FILTER_STATE(KEY:FORM)%: what wasm guests keep with a stream or its connection, as each of
// Envoy's kinds of object shows itself.
import type { StreamInfo } from "../core/stream-info.ts";
import { type FormatOperator, type FormatValue, JsonText } from "./format-context.ts";
import { toLatin1 } from "./latin1.ts";

/** How a kind of object shows itself in the form TYPED. */
type Shown = (bytes: Uint8Array) => FormatValue;

const asText: Shown = (bytes) => new JsonText(toLatin1(JSON.stringify(bufferOf(bytes).toString())));
/** Guests' numbers are digits by now. */
const asNumber: Shown = (bytes) => new JsonText(bufferOf(bytes).toString("latin1"));
const BYTES_TYPE = "type.googleapis.com/google.protobuf.BytesValue";
const asBytes: Shown = (bytes) =>
  new JsonText(`{"@type":"${BYTES_TYPE}","value":"${bufferOf(bytes).toString("base64")}"}`);

/** Objects with other keys have no such form. */
const shownTyped: ReadonlyMap<string, Shown> = new Map([
  ["envoy.string", asText],
  ["envoy.hashable_string", asText],
  ["envoy.upstream.dynamic_host", asText],
  ["envoy.upstream.dynamic_port", asNumber],
  ["envoy.ratelimit.hits_addend", asNumber],
]);
/** What guests set as properties. */
const GUESTS_PREFIX = "wasm.";

export const filterState = (args: string): FormatOperator | string => {
  const [key = "", form = "TYPED", field = ""] = args.split(":");
  if (key === "") return "requires a key";
  // No object that guests can set has fields.
  if (form === "FIELD") return field === "" ? "requires a field name" : (): FormatValue => null;
  if (form !== "PLAIN" && form !== "TYPED") return "supports PLAIN, TYPED and FIELD only";
  const show = form === "PLAIN" ? asPlain : typedOf(key);
  if (show === null) return () => null;
  return ({ info }) => {
    const bytes = info === null ? undefined : valueOf(info, key);
    return bytes === undefined ? null : show(bytes);
  };
};

/** Nobody sets filter state on upstream connections. */
export const upstreamFilterState = (args: string): FormatOperator | string => {
  const compiled = filterState(args);
  return typeof compiled === "string" ? compiled : (): FormatValue => null;
};

const asPlain: Shown = (bytes) => bufferOf(bytes).toString("latin1");

function typedOf(key: string): Shown | null {
  return key.startsWith(GUESTS_PREFIX) ? asBytes : (shownTyped.get(key) ?? null);
}

/** The stream's, else the connection's. */
function valueOf(info: StreamInfo, key: string): Uint8Array | undefined {
  return info.filterState?.get(key) ?? info.connection?.filterState?.get(key);
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
