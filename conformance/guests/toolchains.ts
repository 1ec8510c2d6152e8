// How each toolchain makes a module; used by build.ts. A toolchain that is not there says what is missing.
import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  globSync,
  mkdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { FOLDER, type Guest, type Toolchain } from "./guests.ts";
import { keepLineTables } from "./line-tables.ts";

const CACHE = fileURLToPath(new URL("../../node_modules/.cache/headgate-guests/", import.meta.url));
const COMMAND_MS_MAX = 900_000;

/** What a toolchain that is there can do. */
export interface Tools {
  readonly versions: readonly string[];
  /** For the manifest: without the paths of this machine. */
  readonly recipe: (guest: Guest) => readonly string[];
  /** Writes the module to `out`; throws with what the tools said. */
  readonly build: (guest: Guest, out: string) => void;
}

/** Tools, or in one line what is missing. */
export type Found = Tools | string;

/** What a command prints; undefined when it fails or is not there. */
export function capture(command: string, args: readonly string[]): string | undefined {
  const run = spawnSync(command, args, { encoding: "utf8" });
  return run.status === 0 ? `${run.stdout}${run.stderr}`.trim() : undefined;
}

/** Throws with what the command said. */
export function run(command: string, args: readonly string[], cwd: string, env = {}): void {
  const done = spawnSync(command, args, {
    cwd,
    env: { ...process.env, ...env },
    encoding: "utf8",
    timeout: COMMAND_MS_MAX,
  });
  if (done.status === 0) return;
  const said = `${done.stdout ?? ""}${done.stderr ?? ""}${done.error?.message ?? ""}`;
  throw new Error(`${command} ${args.join(" ")}\n${said.slice(-4_000)}`);
}

export function versionIn(text: string | undefined): string | undefined {
  return text === undefined ? undefined : /\d+\.\d+(\.\d+)?/.exec(text)?.[0];
}

const OPTIMISE_FEATURES = [
  "--enable-bulk-memory",
  "--enable-sign-ext",
  "--enable-nontrapping-float-to-int",
  "--enable-mutable-globals",
];
const OPTIMISE = ["-Oz", "--strip-debug", "--strip-producers", ...OPTIMISE_FEATURES];
const OPTIMISE_LINE = `wasm-opt ${OPTIMISE.join(" ")} $OUT -o $OUT`;

/** The one that came with the AssemblyScript compiler. */
const OPTIMISER = fileURLToPath(new URL("../../node_modules/.bin/wasm-opt", import.meta.url));

function optimiserVersion(): string {
  return `wasm-opt ${/\d+/.exec(capture(OPTIMISER, ["--version"]) ?? "")?.[0]}`;
}

function optimise(from: string, to: string): void {
  run(OPTIMISER, [...OPTIMISE, from, "-o", to], FOLDER);
}

function scratch(name: string): string {
  const folder = join(CACHE, name);
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** What the optimiser would do moves code away from its lines. */
const KEEP_LINES = "all custom sections but .debug_line, .debug_line_str and name are left out";

function putLineTables(from: string, to: string): void {
  writeFileSync(to, keepLineTables(readFileSync(from)));
}

const CLANG = "--target=wasm32 -std=c11 -Wall -Wextra -Werror -ffreestanding -nostdlib".split(" ");
const CLANG_SMALL = [...CLANG, ..."-Oz -Wl,--no-entry -Wl,--strip-all".split(" ")];
/** Linked apart: clang would have the optimiser of its path lose the lines. */
const CLANG_LINES = [...CLANG, ..."-O1 -fdebug-compilation-dir=. -c".split(" ")];

function cRecipe({ lines }: Guest): readonly string[] {
  if (lines === undefined)
    return [`clang ${CLANG_SMALL.join(" ")} -o $OUT $SOURCES`, OPTIMISE_LINE];
  const compile = `clang ${CLANG_LINES.join(" ")} -gdwarf-${lines} -o $OUT.o $SOURCES`;
  return [compile, "wasm-ld --no-entry -o $OUT $OUT.o", KEEP_LINES];
}

function buildC({ name, sources, lines }: Guest, out: string): void {
  const source = sources[0] ?? "";
  const raw = join(scratch("c"), `${name}.wasm`);
  if (lines === undefined) {
    run("clang", [...CLANG_SMALL, "-o", raw, source], FOLDER);
    optimise(raw, out);
    return;
  }
  const relative = `-fdebug-prefix-map=${FOLDER.slice(0, -1)}=.`;
  run("clang", [...CLANG_LINES, `-gdwarf-${lines}`, relative, "-o", `${raw}.o`, source], FOLDER);
  run("wasm-ld", ["--no-entry", "-o", raw, `${raw}.o`], FOLDER);
  putLineTables(raw, out);
}

function findC(): Found {
  const clang = versionIn(capture("clang", ["--version"]));
  const lld = versionIn(capture("wasm-ld", ["--version"]));
  if (clang === undefined || lld === undefined) return "clang and wasm-ld (Debian: clang lld)";
  return {
    versions: [`clang ${clang}`, `wasm-ld ${lld}`, optimiserVersion()],
    recipe: cRecipe,
    build: buildC,
  };
}

export const RUST_TARGET = "wasm32-unknown-unknown";

/** A rustc with the target's standard library, or with the sources to build it. */
export function findRustc(): { readonly path: string; readonly hasStd: boolean } | undefined {
  for (const path of [process.env["RUSTC"], "rustc", "/usr/bin/rustc"]) {
    if (path === undefined) continue;
    const sysroot = capture(path, ["--print", "sysroot"]);
    if (sysroot === undefined) continue;
    if (existsSync(join(sysroot, "lib/rustlib", RUST_TARGET))) return { path, hasStd: true };
    const sources = join(sysroot, "lib/rustlib/src/rust/library/Cargo.lock");
    if (existsSync(sources)) return { path, hasStd: false };
  }
  return undefined;
}

/** The source's name. */
function rustExample({ sources }: Guest): string {
  return /([\w-]+)\.rs$/.exec(sources[0] ?? "")?.[1] ?? "";
}

/** Not in Cargo.toml: it is a source of all of them. */
const RUST_LINES: Readonly<Record<string, string>> = {
  CARGO_PROFILE_RELEASE_DEBUG: "line-tables-only",
  CARGO_PROFILE_RELEASE_STRIP: "none",
};

function findRust(): Found {
  const rustc = findRustc();
  const cargo = capture("cargo", ["--version"]);
  if (cargo === undefined) return "cargo";
  if (rustc === undefined) {
    return `rustc for ${RUST_TARGET}, or one with its sources (Debian: rustc-web rust-web-src)`;
  }
  const lld = versionIn(capture("wasm-ld", ["--version"]));
  if (lld === undefined) return "wasm-ld (Debian: lld)";
  const args = ["build", "--release", "--locked", "--target", RUST_TARGET];
  if (!rustc.hasStd) args.push("-Zbuild-std=std,panic_abort");
  const target = scratch("rust");
  const sysroot = capture(rustc.path, ["--print", "sysroot"]) ?? "";
  // Panics name source files: without this, paths of the machine that built it.
  const registry = globSync(
    join(process.env["CARGO_HOME"] ?? join(homedir(), ".cargo"), "registry/src/*"),
  );
  const remap = [...registry, join(sysroot, "lib/rustlib/src"), FOLDER.slice(0, -1)];
  return {
    versions: [
      ...[capture(rustc.path, ["--version"]) ?? "", cargo].map((text) => text.split(" (")[0] ?? ""),
      `wasm-ld ${lld}`,
      optimiserVersion(),
    ],
    recipe: (guest) => {
      const lines = guest.lines === undefined ? {} : RUST_LINES;
      const settings = Object.entries(lines).map(([name, value]) => ` ${name}=${value}`);
      const env = `RUSTC_BOOTSTRAP=1 RUSTFLAGS="--remap-path-prefix=..."${settings.join("")}`;
      const command = `${env} cargo ${args.join(" ")} --example ${rustExample(guest)}`;
      return [command, guest.lines === undefined ? OPTIMISE_LINE : KEEP_LINES];
    },
    build: (guest, out) => {
      const example = rustExample(guest);
      const folder = guest.lines === undefined ? target : `${target}-lines`;
      run("cargo", [...args, "--example", example], join(FOLDER, "rust"), {
        ...(guest.lines === undefined ? {} : RUST_LINES),
        RUSTC: rustc.path,
        RUSTC_BOOTSTRAP: "1",
        RUSTFLAGS: remap.map((path) => `--remap-path-prefix=${path}=.`).join(" "),
        CARGO_TARGET_DIR: folder,
        CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER: "wasm-ld",
      });
      const file = example.replaceAll("-", "_");
      const made = join(folder, `${RUST_TARGET}/release/examples/${file}.wasm`);
      if (guest.lines === undefined) optimise(made, out);
      else putLineTables(made, out);
    },
  };
}

const GO = ["build", "-trimpath", "-buildvcs=false", "-buildmode=c-shared", "-ldflags=-s -w"];
const GO_MINOR_MIN = 24;

function findGo(): Found {
  const version = capture("go", ["version"]);
  const minor = Number(/go1\.(\d+)/.exec(version ?? "")?.[1] ?? 0);
  if (minor < GO_MINOR_MIN) return `go 1.${GO_MINOR_MIN} or later`;
  return {
    versions: [/go1[.\d]+/.exec(version ?? "")?.[0] ?? "", optimiserVersion()],
    recipe: () => [`GOOS=wasip1 GOARCH=wasm go ${GO.join(" ")} -o $OUT ./plugins`, OPTIMISE_LINE],
    build: (guest, out) => {
      const raw = join(scratch("go"), `${guest.name}.wasm`);
      const env = { GOOS: "wasip1", GOARCH: "wasm", GOFLAGS: "" };
      run("go", [...GO, "-o", raw, "./plugins"], join(FOLDER, "go"), env);
      optimise(raw, out);
    },
  };
}

/** The old SDK compiles with the compiler of its time only: both come from npm. */
function findSolo(sdk: string, compiler: string): Found {
  if (capture("npm", ["--version"]) === undefined) return "npm";
  const packages = [`assemblyscript@${compiler}`, `@solo-io/proxy-runtime@${sdk}`];
  const flags = ["--use", "abort=abort_proc_exit", "--optimize"];
  return {
    versions: packages,
    recipe: () => [`npm install ${packages.join(" ")}`, `asc $SOURCES -b $OUT ${flags.join(" ")}`],
    build: (guest, out) => {
      const folder = scratch(`solo-${sdk}`);
      const options = ["--no-save", "--no-audit", "--no-fund", "--ignore-scripts"];
      run("npm", ["install", ...options, "--prefix", folder, ...packages], folder);
      copyFileSync(FOLDER + (guest.sources[0] ?? ""), join(folder, "index.ts"));
      const asc = join(folder, "node_modules/assemblyscript/bin/asc");
      run(process.execPath, [asc, "index.ts", "-b", "guest.wasm", ...flags], folder);
      copyFileSync(join(folder, "guest.wasm"), out);
    },
  };
}

export function findTools(toolchain: Toolchain): Found {
  if (toolchain === "c") return findC();
  if (toolchain === "rust") return findRust();
  if (toolchain === "go") return findGo();
  return toolchain === "solo-0.1.1" ? findSolo("0.1.1", "0.9.4") : findSolo("0.1.8", "0.14.9");
}
