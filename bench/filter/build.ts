// Compiles the benches' filter with asc; called by run.ts before anything is measured.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";
import binaryen from "assemblyscript/binaryen";
import { NATIVE_FILTERS } from "../configs.ts";
import { buildFilter as buildFolder } from "../../filters/build.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const FOLDER = fileURLToPath(new URL(".", import.meta.url));

/** `sdk`: as a user writes it. `bare`: the same on the bare ABI. `hand`: the same in text format. */
export const FILTER_KINDS = ["sdk", "bare", "hand"] as const;
export type FilterKind = (typeof FILTER_KINDS)[number];

type Compiled = Exclude<FilterKind, "hand">;
const SOURCES: Readonly<Record<Compiled, string>> = { sdk: "index.ts", bare: "bare.ts" };
const OPTIONS: Readonly<Record<Compiled, readonly string[]>> = {
  sdk: ["--config", "sdk-assemblyscript/asconfig.json", "--target", "release"],
  bare: ["-O3", "--runtime", "minimal", "--use", "abort=", "--exportStart", "_initialize"],
};

/** Compiles a filter and gives the path of the module. Throws with asc's words. */
export async function buildFilter(kind: FilterKind): Promise<string> {
  const result = `${FOLDER}build/${kind}.wasm`;
  mkdirSync(`${FOLDER}build`, { recursive: true });
  if (kind === "hand") return buildByHand("header");
  const files = [`${FOLDER}assembly/${SOURCES[kind]}`, result].map((file) => relative(ROOT, file));
  const [source = "", output = ""] = files;
  const stderr = asc.createMemoryStream();
  const options = ["-o", output, "--baseDir", ROOT, ...OPTIONS[kind]];
  const { error } = await asc.main([source, ...options], { stderr });
  if (error !== null) throw new Error(`asc: ${error.message}\n${stderr.toString()}`);
  return result;
}

/** Makes a module of text format and gives its path. */
export function buildByHand(name: "header" | "body"): string {
  const result = `${FOLDER}build/${name}.wasm`;
  mkdirSync(`${FOLDER}build`, { recursive: true });
  const module = binaryen.parseText(readFileSync(`${FOLDER}${name}.wat`, "utf8"));
  writeFileSync(result, module.emitBinary());
  module.dispose();
  return result;
}

/** Our own filters, which configurations name by Envoy's messages. */
export async function buildNativeFilters(): Promise<void> {
  for (const name of NATIVE_FILTERS) {
    await buildFolder(fileURLToPath(new URL(`../../filters/${name}`, import.meta.url)));
  }
}
