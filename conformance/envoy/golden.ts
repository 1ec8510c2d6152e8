// Golden files: what the real Envoy answered, by group. Written by `compare.ts --record` only.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Golden } from "./result.ts";

const FOLDER = fileURLToPath(new URL("./golden/", import.meta.url));

/** Which configurations Envoy takes. `said` is Envoy's reason and is not compared. */
export interface ConfigGolden {
  readonly envoy: string;
  readonly cases: Readonly<Record<string, { readonly isAccepted: boolean; readonly said: string }>>;
}

function read(name: string): unknown {
  const file = `${FOLDER}${name}.json`;
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : undefined;
}

function write(name: string, value: unknown): void {
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(`${FOLDER}${name}.json`, `${JSON.stringify(value, null, 2)}\n`);
}

/** The golden of a group, undefined before it was recorded. */
export function readGolden(groupId: string): Golden | undefined {
  return read(groupId) as Golden | undefined;
}

export function writeGolden(groupId: string, golden: Golden): void {
  write(groupId, golden);
}

export function readConfigGolden(): ConfigGolden | undefined {
  return read("config") as ConfigGolden | undefined;
}

export function writeConfigGolden(golden: ConfigGolden): void {
  write("config", golden);
}
