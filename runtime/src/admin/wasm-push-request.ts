// A pushed version, read from a request to the admin interface.
import type { WasmCanary, WasmPush } from "./admin-delegate.ts";
import { readMultipart } from "./multipart.ts";
import { parameter } from "./admin-request.ts";
import type { AdminRequest } from "./admin-request.ts";

const HEADER_NAME = /^[a-z0-9!#$%&'*+.^_`|~-]+$/;
const KNOWN: ReadonlySet<string> = new Set(["canary", "canary_header", "sticky", "promote"]);

/** What is pushed, or what is wrong with the request. `kind` says what a plain body is. */
export function readPush(
  request: AdminRequest,
  kind: "module" | "configuration",
): WasmPush | string {
  for (const [name] of request.parameters) {
    if (!KNOWN.has(name)) {
      return `unknown parameter ${name}, expected ${[...KNOWN].join(", ")}`;
    }
  }
  const canary = readCanary(request);
  if (typeof canary === "string") return canary;
  const parts = readParts(request, kind);
  if (typeof parts === "string") return parts;
  const module = parts.get("module") ?? null;
  const configuration = parts.get("configuration") ?? null;
  if (kind === "module" && (module === null || module.length === 0)) {
    return "found no module, expected its bytes as the body or as the part module";
  }
  return { module, configuration, sourceMap: parts.get("source_map") ?? null, canary };
}

function readParts(
  { body, contentType }: AdminRequest,
  kind: "module" | "configuration",
): ReadonlyMap<string, Buffer> | string {
  if (!/^multipart\/form-data\b/i.test(contentType)) return new Map([[kind, body]]);
  const parts = readMultipart(body, contentType);
  if (typeof parts === "string") return parts;
  const known = kind === "module" ? ["module", "configuration", "source_map"] : ["configuration"];
  for (const name of parts.keys()) {
    if (!known.includes(name)) return `unknown part ${name}, expected ${known.join(", ")}`;
  }
  return parts;
}

/** Null = it is no canary. */
function readCanary(request: AdminRequest): WasmCanary | null | string {
  const share = parameter(request, "canary");
  const header = parameter(request, "canary_header");
  const promote = parameter(request, "promote");
  const sticky = readSticky(parameter(request, "sticky") ?? "");
  if (typeof sticky === "string") return sticky;
  if (share === undefined && header === undefined) {
    const extra = promote !== undefined || sticky.kind !== "stream";
    return extra ? "promote and sticky are of a canary: expected canary or canary_header" : null;
  }
  if (share !== undefined && header !== undefined) {
    return "found canary and canary_header, expected one of them";
  }
  if (promote !== undefined && promote !== "auto" && promote !== "no") {
    return `promote: found ${JSON.stringify(promote)}, expected auto or no`;
  }
  const isPromoted = promote === "auto";
  if (header !== undefined) {
    const match = readMatch(header);
    if (typeof match === "string") return match;
    return { share: { perTenThousand: 0, match, sticky }, isPromoted };
  }
  const percent = readPercent(share ?? "");
  if (typeof percent === "string") return percent;
  return { share: { perTenThousand: percent, match: null, sticky }, isPromoted };
}

/** Of ten thousand. */
function readPercent(text: string): number | string {
  const match = /^(\d{1,3}(?:\.\d{1,2})?)%?$/.exec(text);
  const percent = Number(match?.[1] ?? Number.NaN);
  if (percent > 0 && percent <= 100) return Math.round(percent * 100);
  return `canary: found ${JSON.stringify(text)}, expected a percentage from 0.01 to 100`;
}

function readMatch(text: string): { header: string; value: string | null } | string {
  const equals = text.indexOf("=");
  const header = (equals < 0 ? text : text.slice(0, equals)).toLowerCase();
  if (!HEADER_NAME.test(header)) {
    return `canary_header: found ${JSON.stringify(text)}, expected NAME or NAME=VALUE`;
  }
  return { header, value: equals < 0 ? null : text.slice(equals + 1) };
}

function readSticky(text: string): WasmCanary["share"]["sticky"] | string {
  if (text === "") return { kind: "stream" };
  if (text === "client") return { kind: "client" };
  const header = /^header:(.+)$/.exec(text)?.[1]?.toLowerCase() ?? "";
  if (HEADER_NAME.test(header)) return { kind: "header", header };
  return `sticky: found ${JSON.stringify(text)}, expected client or header:NAME`;
}
