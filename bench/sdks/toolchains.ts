// How each language's filters are built, in a copy of their sources that may be edited. What the
// toolchain has and its caches of libraries stay; what was made of a filter and its libraries goes.
import { copyFileSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  capture,
  findRustc,
  run,
  RUST_TARGET,
  versionIn,
} from "../../conformance/guests/toolchains.ts";
import { C_BINDINGS, type FilterName, FOLDER, type Language, sourceOf } from "./sources.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const CACHE = join(ROOT, "node_modules/.cache/headgate-sdks");
/** Inside node_modules, so that imports of packages are found from there. */
const SOURCES = join(CACHE, "sources");

export interface Toolchain {
  /** What builds, with versions and how it optimises. */
  readonly words: string;
  /** Builds the module and gives its path. Throws with what the tools said. */
  build(filter: FilterName): string;
  /** Forgets what earlier builds have made. */
  clean(): void;
}

/** A toolchain, or in one line what is missing. */
export type Found = Toolchain | string;

/** Brings the sources to where they are built. */
export function copySources(): void {
  mkdirSync(SOURCES, { recursive: true });
  for (const part of ["as", "rust", "go", "c"]) {
    const options = { recursive: true, preserveTimestamps: true };
    cpSync(join(FOLDER, part), join(SOURCES, part), options);
  }
}

/** What an author changes: a text that each filter has, in each language. */
const EDITED: Readonly<Record<FilterName, string>> = {
  header: "mobile",
  auth: "no authorization",
  body: "[hidden]",
};

/** A source as an author may leave it, no two marks alike. Throws when it has not the text. */
export function edited(source: string, filter: FilterName, mark: number): string {
  const text = `"${EDITED[filter]}`;
  if (!source.includes(text)) throw new Error(`a ${filter} filter has no ${text}`);
  return source.replace(text, `"${mark} ${EDITED[filter]}`);
}

/** Edits a filter's source; gives what undoes it. */
export function edit(language: Language, filter: FilterName, mark: number): () => void {
  const file = join(SOURCES, sourceOf(language, filter));
  const before = readFileSync(file, "utf8");
  writeFileSync(file, edited(before, filter, mark));
  return () => writeFileSync(file, before);
}

export function findToolchain(language: Language): Found {
  if (language === "as") return assemblyScript();
  if (language === "rust") return rust();
  return language === "go" ? go() : c();
}

function assemblyScript(): Found {
  const folder = (filter: FilterName): string => join(SOURCES, "as", filter);
  const compiler = readFileSync(join(ROOT, "node_modules/assemblyscript/package.json"), "utf8");
  return {
    words: `asc ${versionIn(/"version": "[^"]+"/.exec(compiler)?.[0])}, \`headgate filter build\``,
    build: (filter) => {
      run(join(ROOT, "runtime/bin/headgate"), ["filter", "build", folder(filter)], ROOT);
      return join(folder(filter), `build/${filter}.wasm`);
    },
    clean: () => {
      for (const filter of ["header", "auth", "body"] as const) {
        rmSync(join(folder(filter), "build"), { recursive: true, force: true });
      }
    },
  };
}

function rust(): Found {
  const rustc = findRustc();
  const linker = capture("wasm-ld", ["--version"]);
  if (capture("cargo", ["--version"]) === undefined || rustc === undefined) {
    return `cargo, and a rustc for ${RUST_TARGET} or with its sources (Debian: rustc-web rust-web-src)`;
  }
  if (linker === undefined) return "wasm-ld (Debian: lld)";
  const folder = join(SOURCES, "rust");
  const target = join(CACHE, "rust");
  const goal = ["--release", "--target", RUST_TARGET];
  const std = rustc.hasStd ? [] : ["-Zbuild-std=std,panic_abort"];
  const env = {
    RUSTC: rustc.path,
    RUSTC_BOOTSTRAP: "1",
    CARGO_TARGET_DIR: target,
    CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER: "wasm-ld",
  };
  return {
    words: `rustc ${versionIn(capture(rustc.path, ["--version"]))}, opt-level 3, LTO`,
    build: (filter) => {
      run("cargo", ["build", ...goal, "--locked", ...std, "--example", filter], folder, env);
      return join(target, RUST_TARGET, `release/examples/${filter}.wasm`);
    },
    // The standard library stays, as where it comes ready-made.
    clean: () => {
      const lock = readFileSync(join(folder, "Cargo.lock"), "utf8");
      const crates = [...lock.matchAll(/^name = "(.+)"$/gm)].flatMap(([, name = ""]) => [
        "-p",
        name,
      ]);
      run("cargo", ["clean", ...goal, ...crates], folder, env);
    },
  };
}

function go(): Found {
  const version = capture("go", ["version"]);
  if (Number(/go1\.(\d+)/.exec(version ?? "")?.[1] ?? 0) < 24) return "go 1.24 or later";
  const cache = join(CACHE, "go-build");
  const env = { GOOS: "wasip1", GOARCH: "wasm", GOFLAGS: "", GOCACHE: cache };
  const flags = ["build", "-trimpath", "-buildvcs=false", "-buildmode=c-shared"];
  return {
    words: `${/go[.\d]+/.exec(version ?? "")?.[0]}, no SDK, \`-buildmode=c-shared\``,
    build: (filter) => {
      const out = join(CACHE, `go-${filter}.wasm`);
      run("go", [...flags, "-o", out, `./${filter}`], join(SOURCES, "go"), env);
      return out;
    },
    clean: () => rmSync(cache, { recursive: true, force: true }),
  };
}

const CLANG =
  "--target=wasm32 -std=c11 -O2 -mbulk-memory -ffreestanding -nostdlib -Wl,--no-entry".split(" ");

function c(): Found {
  const clang = versionIn(capture("clang", ["--version"]));
  if (clang === undefined || capture("wasm-ld", ["--version"]) === undefined) {
    return "clang and wasm-ld (Debian: clang lld)";
  }
  return {
    words: `clang ${clang}, no libc, no SDK, \`-O2\``,
    build: (filter) => {
      const out = join(CACHE, `c-${filter}.wasm`);
      const source = join(SOURCES, sourceOf("c", filter));
      run("clang", [...CLANG, "-I", C_BINDINGS, "-o", out, source], CACHE);
      return out;
    },
    clean: () => undefined,
  };
}

/** Keeps a module from the next build. */
export function keepModule(file: string, language: Language, filter: FilterName): string {
  const kept = join(CACHE, `${language}-${filter}.kept.wasm`);
  copyFileSync(file, kept);
  return kept;
}
