// The guests that real toolchains made: what each does, from which sources, and its committed module.
// build.ts makes the modules and writes manifest.json.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export const FOLDER: string = fileURLToPath(new URL(".", import.meta.url));

export type Toolchain = "c" | "rust" | "go" | "solo-0.1.1" | "solo-0.1.8";

/** A module with its sources; paths are relative to this folder. */
export interface Guest {
  readonly name: string;
  readonly toolchain: Toolchain;
  readonly abi: "0.1.0" | "0.2.0" | "0.2.1";
  readonly does: string;
  readonly sources: readonly string[];
  /** The version of DWARF of its line table; undefined = it has none. */
  readonly lines?: 4 | 5;
}

/** What the manifest says of a committed module. */
export interface ManifestEntry {
  readonly toolchain: Toolchain;
  /** Versions of what made it. */
  readonly tools: readonly string[];
  /** The commands, in order; $OUT is the module, $SOURCES the sources that are compiled. */
  readonly recipe: readonly string[];
  readonly sources: readonly string[];
  readonly sourcesSha256: string;
  readonly sha256: string;
  readonly bytes: number;
}

export type Manifest = Readonly<Record<string, ManifestEntry>>;

function c(name: string, does: string): Guest {
  const sources = [`c/${name}.c`, "c/proxy-wasm.h"];
  return { name: `c-${name}`, toolchain: "c", abi: "0.2.1", does, sources };
}

function rust(name: string, does: string): Guest {
  const sources = [`rust/${name}.rs`, "rust/Cargo.toml", "rust/Cargo.lock"];
  return { name: `rust-${name}`, toolchain: "rust", abi: "0.2.1", does, sources };
}

/** The same, not optimised to the last, with its line table. */
function withLines(guest: Guest, lines: 4 | 5): Guest {
  return {
    ...guest,
    name: `${guest.name}-dwarf${lines}`,
    lines,
    does: `${guest.does}; DWARF ${lines}`,
  };
}

const trapping = c("trapping", "is stopped in the way that a header names");
const faulty = rust("faulty", "panics in the phase that a header names");

const GO_SOURCES = [
  "go/go.mod",
  ...["exports", "hostcalls", "imports"].map((name) => `go/proxywasm/${name}.go`),
  ...["ab_routing", "counting", "header_edit", "main"].map((name) => `go/plugins/${name}.go`),
];

export const GUESTS: readonly Guest[] = [
  c("header-edit", "adds, replaces and removes headers, rewrites the path"),
  c("metrics", "counters, a gauge and a histogram about requests"),
  c("redirect", "answers by itself: health, redirect to HTTPS, 403"),
  c("tcp-guard", "a TCP filter that wants a greeting and marks what comes back"),
  withLines(trapping, 4),
  withLines(trapping, 5),
  rust("access-log", "an access logger: one line of JSON per request"),
  rust("auth-callout", "asks an HTTP service about each request"),
  rust("body-rewrite", "takes words out of responses, changes requests chunk by chunk"),
  faulty,
  withLines(faulty, 4),
  rust("grpc-callout", "asks a gRPC service by a call or a stream"),
  rust("header-edit", "adds, replaces and removes headers, rewrites the path"),
  rust("rate-limit", "counts by key in shared data, by compare-and-swap"),
  rust("shared-queue", "a producer (HTTP filter) and a consumer (service) of a queue"),
  rust("tcp-lines", "a TCP filter that passes whole lines and masks digits"),
  {
    name: "go-plugins",
    toolchain: "go",
    abi: "0.2.1",
    does: "three plugins by root_id: header-edit, ab-routing by cookie, counting with ticks",
    sources: GO_SOURCES,
  },
  {
    name: "as-solo-0.1.0",
    toolchain: "solo-0.1.1",
    abi: "0.1.0",
    does: "an old AssemblyScript module: header-edit",
    sources: ["assemblyscript/assembly/solo-0-1-0.ts"],
  },
  {
    name: "as-solo-0.2.0",
    toolchain: "solo-0.1.8",
    abi: "0.2.0",
    does: "an old AssemblyScript module by root_id: header-edit, gate (an HTTP call)",
    sources: ["assemblyscript/assembly/solo-0-2-0.ts"],
  },
];

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** One hash over names and contents of a guest's sources. */
export function sourcesHash(guest: Guest): string {
  const hash = createHash("sha256");
  for (const source of guest.sources) {
    hash
      .update(`${source}\0`)
      .update(readFileSync(FOLDER + source))
      .update("\0");
  }
  return hash.digest("hex");
}

/** Where a guest's module stands. */
export function modulePath(name: string): string {
  return `${FOLDER}wasm/${name}.wasm`;
}

/** A committed module, such as `rust-auth-callout`. */
export function readGuest(name: string): Buffer {
  return readFileSync(modulePath(name));
}

export function readManifest(): Manifest {
  return JSON.parse(readFileSync(`${FOLDER}manifest.json`, "utf8")) as Manifest;
}
