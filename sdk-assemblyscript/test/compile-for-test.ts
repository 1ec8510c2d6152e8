// Runs asc with the SDK's transform on files in memory, for tests of what it refuses and writes.
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { main } from "assemblyscript/asc";
import { type Diagnostic, parseDiagnostics } from "../build.mjs";

const sdk = resolve(import.meta.dirname, "..");
const SCHEMA = "made.schema.json";

export interface Compiled {
  readonly diagnostics: readonly Diagnostic[];
  /** "path(line,column) message" of each. */
  readonly lines: readonly string[];
  /** null when nothing was made. */
  readonly wasm: Uint8Array | null;
  readonly schema: { readonly [name: string]: unknown } | null;
}

/**
 * Compiles `assembly/index.ts` of some files, without optimising. The SDK's asconfig.json holds,
 * unless the files have one.
 */
export async function compile(
  files: Readonly<Record<string, string>>,
  args: readonly string[] = ["--target", "debug"],
): Promise<Compiled> {
  const written = new Map<string, string | Uint8Array>();
  let output = "";
  const stderr = { write: (text: string | Uint8Array) => (output += Buffer.from(text).toString()) };
  process.env["HEADGATE_SCHEMA_FILE"] = SCHEMA;
  const { error } = await main(
    ["assembly/index.ts", "--noColors", "--config", "asconfig.json", "-o", "made.wasm", ...args],
    {
      stderr: stderr as never,
      stdout: stderr as never,
      readFile: async (name: string, baseDir: string) =>
        files[name] ??
        (name === "asconfig.json" ? ownConfig() : readIfThere(resolve(baseDir, name))),
      writeFile: async (name: string, contents: string | Uint8Array) => {
        written.set(name, contents);
      },
      listFiles: async () => [],
    } as never,
  );
  delete process.env["HEADGATE_SCHEMA_FILE"];
  const diagnostics = parseDiagnostics(output);
  if (error !== null && diagnostics.length === 0) throw error;
  const wasm = written.get("made.wasm");
  const schema = written.get(SCHEMA);
  return {
    diagnostics,
    lines: diagnostics.map((one) => `${one.file}(${one.line},${one.column}) ${one.message}`),
    wasm: wasm instanceof Uint8Array ? wasm : null,
    schema: schema === undefined ? null : (JSON.parse(String(schema)) as Record<string, unknown>),
  };
}

/** The working directory is the repository's root: from there asc finds the SDK. */
function ownConfig(): string {
  return readFileSync(resolve(sdk, "asconfig.json"), "utf8");
}

async function readIfThere(path: string): Promise<string | null> {
  try {
    return await readFile(path, "utf8");
  } catch {
    // asc asks for each place where a file may be.
    return null;
  }
}
