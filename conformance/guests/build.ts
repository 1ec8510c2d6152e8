// `npm run guests`: rebuilds the guests whose toolchain is here, says loudly which it skipped and why.
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import {
  FOLDER,
  type Guest,
  GUESTS,
  type ManifestEntry,
  modulePath,
  readManifest,
  sha256,
  sourcesHash,
} from "./guests.ts";
import { capture, type Found, findTools, type Tools } from "./toolchains.ts";

const USAGE = `npm run guests [-- --only PATTERN] [--list]

  --only  regular expression over names and toolchains
  --list  print the guests and end`;

function entry(guest: Guest, tools: Tools): ManifestEntry {
  return {
    toolchain: guest.toolchain,
    tools: tools.versions,
    recipe: tools.recipe(guest),
    sources: guest.sources,
    sourcesSha256: sourcesHash(guest),
    sha256: sha256(readFileSync(modulePath(guest.name))),
    bytes: statSync(modulePath(guest.name)).size,
  };
}

function build(guest: Guest, tools: Tools, before: ManifestEntry | undefined): ManifestEntry {
  tools.build(guest, modulePath(guest.name));
  const made = entry(guest, tools);
  const same = before?.sha256 === made.sha256 ? "same bytes as before" : "changed";
  console.log(`${guest.name}: ${made.bytes} bytes, ${same}`);
  return made;
}

function main(): void {
  const { values } = parseArgs({
    options: {
      only: { type: "string", default: "" },
      list: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return console.log(USAGE);
  const only = new RegExp(values.only);
  const wanted = GUESTS.filter((guest) => only.test(guest.name) || only.test(guest.toolchain));
  if (values.list) {
    return wanted.forEach((guest) => console.log(`${guest.name}  ABI ${guest.abi}  ${guest.does}`));
  }
  mkdirSync(`${FOLDER}wasm`, { recursive: true });
  const manifest: Record<string, ManifestEntry> = existsSync(`${FOLDER}manifest.json`)
    ? { ...readManifest() }
    : {};
  const found = new Map<string, Found>();
  const skipped: string[] = [];
  for (const guest of wanted) {
    const tools = found.get(guest.toolchain) ?? findTools(guest.toolchain);
    found.set(guest.toolchain, tools);
    if (typeof tools === "string") skipped.push(`${guest.name}: missing ${tools}`);
    else manifest[guest.name] = build(guest, tools, manifest[guest.name]);
  }
  const sorted = GUESTS.flatMap(({ name }) =>
    manifest[name] === undefined ? [] : [[name, manifest[name]] as const],
  );
  const text = JSON.stringify(Object.fromEntries(sorted), null, 2);
  writeFileSync(`${FOLDER}manifest.json`, `${text}\n`);
  capture("biome", ["format", "--write", `${FOLDER}manifest.json`]);
  for (const line of skipped) console.log(`SKIPPED ${line}`);
  console.log(`${wanted.length - skipped.length} built, ${skipped.length} skipped`);
  if (skipped.length > 0) process.exitCode = 1;
}

main();
