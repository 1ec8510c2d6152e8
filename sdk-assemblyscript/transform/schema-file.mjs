// Where the JSON Schema goes: beside the module. asc does not tell a transform where that is.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Path of the schema, from asc's base directory; null when no module is written. */
export function schemaFile(baseDir) {
  // The build says it. Otherwise it is asc's own command line, or the file that it names.
  const told = process.env.HEADGATE_SCHEMA_FILE;
  if (told !== undefined) return told;
  const module = optionOf(["--outFile", "-o"]) ?? fromConfig(baseDir);
  return module === undefined ? null : module.replace(/(\.wasm)?$/, ".schema.json");
}

function optionOf(names) {
  const { argv } = process;
  const at = argv.findIndex((argument) => names.includes(argument.split("=")[0]));
  if (at < 0) return undefined;
  return argv[at].includes("=") ? argv[at].slice(argv[at].indexOf("=") + 1) : argv[at + 1];
}

function fromConfig(baseDir) {
  const file = join(baseDir, optionOf(["--config"]) ?? "asconfig.json");
  if (!existsSync(file)) return undefined;
  const { targets = {}, options = {} } = JSON.parse(readFileSync(file, "utf8"));
  return targets[optionOf(["--target"]) ?? "release"]?.outFile ?? options.outFile;
}
