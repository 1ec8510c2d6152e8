// What `headgate filter promote` and `rollback` have in common: one word to the process.
import { UsageError } from "../args.ts";
import {
  AdminClient,
  adminFlags,
  needed,
  noteText,
  parseFlags,
  pluginPath,
  readTokenFile,
  report,
} from "./admin-client.ts";

const flags = { ...adminFlags, version: { type: "string" } } as const;

export async function changeVersion(
  what: "promote" | "rollback",
  argv: readonly string[],
): Promise<number> {
  const { values, positionals } = parseFlags(argv, flags);
  if (positionals.length > 0) throw new UsageError(`unknown argument "${positionals[0]}"`);
  const plugin = needed(values.plugin, "plugin");
  const client = new AdminClient(
    needed(values.admin, "admin"),
    readTokenFile(values["token-file"]),
  );
  const query = new URLSearchParams();
  if (values.version !== undefined) query.set("version", values.version);
  const answer = await client.send("POST", pluginPath(plugin, what, query));
  const version = String(answer.json?.["version"]);
  const isServing = answer.json?.["state"] === "primary";
  const state = isServing ? "serves all new streams" : "is not tried any more";
  const done = `plugin ${plugin}: version ${version} ${state}${noteText(answer.json)}`;
  return report(answer, values.json === true, done);
}
