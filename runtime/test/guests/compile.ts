// Compiles the guests of tests from AssemblyScript, once per content; kept under node_modules/.cache.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";

const folder: string = dirname(fileURLToPath(import.meta.url));
const cache: string = join(folder, "../../../node_modules/.cache/headgate-test-guests");

const OPTIONS: readonly string[] = [
  "--runtime",
  "stub",
  "--exportStart",
  "_initialize",
  "--use",
  "abort=guest/onAbort",
];

/** The module of assembly/<name>.ts. */
export async function compileGuest(name: string): Promise<Uint8Array> {
  const source = readFileSync(join(folder, "assembly", `${name}.ts`), "utf8");
  const key = createHash("sha256").update(JSON.stringify([source, OPTIONS, asc.version]));
  const path = join(cache, `${name}-${key.digest("hex").slice(0, 24)}.wasm`);
  if (existsSync(path)) return readFileSync(path);
  const bytes = await compile(source);
  mkdirSync(cache, { recursive: true });
  // Other test processes may write the same file: renaming lets none see half of it.
  const own = `${path}.${process.pid}`;
  writeFileSync(own, bytes);
  renameSync(own, path);
  return bytes;
}

async function compile(source: string): Promise<Uint8Array> {
  let bytes: Uint8Array | null = null;
  const errors: string[] = [];
  const { error } = await asc.main(["guest.ts", "-o", "guest.wasm", ...OPTIONS], {
    readFile: (name) => (name === "guest.ts" ? source : null),
    writeFile: (_name, contents) => {
      bytes = Buffer.from(contents);
    },
    listFiles: () => [],
    reportDiagnostic: (diagnostic) => void errors.push(diagnostic.message),
  });
  if (error !== null) throw new Error(`the guest does not compile: ${errors.join("; ")}`);
  if (bytes === null) throw new Error("the compiler wrote nothing");
  return bytes;
}
