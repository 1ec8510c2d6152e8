// A pushed version, read from a request to the admin interface.
import type { WasmPush, WasmTrial } from "./admin-delegate.ts";
import { readMultipart } from "./multipart.ts";
import { parameter } from "./admin-request.ts";
import type { AdminRequest } from "./admin-request.ts";

const HEADER_NAME = /^[a-z0-9!#$%&'*+.^_`|~-]+$/;
const roles = ["canary", "shadow"] as const;
const canaryNames = "canary or canary_header";
const KNOWN: ReadonlySet<string> = new Set([
  "canary",
  "canary_header",
  "shadow",
  "shadow_header",
  "sticky",
  "promote",
  "shared_data",
]);
const NAME_SHOWN = 64;

/** What is pushed, or what is wrong with the request. `kind` says what a plain body is. */
export function readPush(
  request: AdminRequest,
  kind: "module" | "configuration",
): WasmPush | string {
  for (const [name] of request.parameters) {
    if (!KNOWN.has(name)) {
      return `unknown parameter ${name.slice(0, NAME_SHOWN)}, expected ${[...KNOWN].join(", ")}`;
    }
  }
  const trial = readTrial(request);
  if (typeof trial === "string") return trial;
  const sharedData = parameter(request, "shared_data") ?? "kept";
  if (sharedData !== "kept" && sharedData !== "fresh") {
    return `shared_data: found ${JSON.stringify(sharedData)}, expected kept or fresh`;
  }
  const parts = readParts(request, kind);
  if (typeof parts === "string") return parts;
  const module = parts.get("module") ?? null;
  const configuration = parts.get("configuration") ?? null;
  if (kind === "module" && (module === null || module.length === 0)) {
    return "found no module, expected its bytes as the body or as the part module";
  }
  const sourceMap = parts.get("source_map") ?? null;
  return { module, configuration, sourceMap, isFresh: sharedData === "fresh", trial };
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

/** Null = it serves all streams. */
function readTrial(request: AdminRequest): WasmTrial | null | string {
  const named = roles.flatMap((role) => [role, `${role}_header`]);
  const [name, ...more] = named.filter((one) => parameter(request, one) !== undefined);
  const promote = parameter(request, "promote");
  const sticky = readSticky(parameter(request, "sticky") ?? "");
  if (typeof sticky === "string") return sticky;
  if (name === undefined) {
    if (promote !== undefined) return `promote is of a canary: expected ${canaryNames}`;
    return sticky.kind === "stream" ? null : `sticky: expected one of ${named.join(", ")} too`;
  }
  if (more.length > 0) return `found ${name} and ${more.join(", ")}, expected one of them`;
  const role = name.startsWith("shadow") ? "shadow" : "canary";
  if (role === "shadow" && promote !== undefined) {
    return `promote is of a canary: expected ${canaryNames}`;
  }
  if (promote !== undefined && promote !== "auto" && promote !== "no") {
    return `promote: found ${JSON.stringify(promote)}, expected auto or no`;
  }
  const isPromoted = promote === "auto";
  const text = parameter(request, name) ?? "";
  if (name.endsWith("_header")) {
    const match = readMatch(name, text);
    if (typeof match === "string") return match;
    return { role, share: { perTenThousand: 0, match, sticky }, isPromoted };
  }
  // A shadow costs no stream anything: without a share it sees all.
  const percent = readPercent(name, role === "shadow" && text === "" ? "100" : text);
  if (typeof percent === "string") return percent;
  return { role, share: { perTenThousand: percent, match: null, sticky }, isPromoted };
}

/** Of ten thousand. */
function readPercent(name: string, text: string): number | string {
  const match = /^(\d{1,3}(?:\.\d{1,2})?)%?$/.exec(text);
  const percent = Number(match?.[1] ?? Number.NaN);
  if (percent > 0 && percent <= 100) return Math.round(percent * 100);
  return `${name}: found ${JSON.stringify(text)}, expected a percentage from 0.01 to 100`;
}

function readMatch(name: string, text: string): { header: string; value: string | null } | string {
  const equals = text.indexOf("=");
  const header = (equals < 0 ? text : text.slice(0, equals)).toLowerCase();
  if (!HEADER_NAME.test(header)) {
    return `${name}: found ${JSON.stringify(text)}, expected NAME or NAME=VALUE`;
  }
  return { header, value: equals < 0 ? null : text.slice(equals + 1) };
}

function readSticky(text: string): WasmTrial["share"]["sticky"] | string {
  if (text === "") return { kind: "stream" };
  if (text === "client") return { kind: "client" };
  const header = /^header:(.+)$/.exec(text)?.[1]?.toLowerCase() ?? "";
  if (HEADER_NAME.test(header)) return { kind: "header", header };
  return `sticky: found ${JSON.stringify(text)}, expected client or header:NAME`;
}
