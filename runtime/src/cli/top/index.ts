// `headgate top`: a live table of what wasm plugins of a running process cost, the dearest first.
import { setTimeout as sleep } from "node:timers/promises";
import { UsageError } from "../args.ts";
import { AdminClient, needed, parseFlags, readTokenFile } from "../filter/admin-client.ts";
import { type CostPage, ratesBetween } from "./rates.ts";
import { tableLines } from "./table.ts";

const HELP = `\
usage: headgate top --admin URL [--interval SECONDS] [--once] [--json]

What wasm plugins cost: the share of the workers' CPU time, and, for each stream, time in
nanoseconds (of one stream in 64), fuel, hostcalls, bytes copied between host and guest, callouts;
memory in pages of 64 KiB of all workers, traps since the start.

  --admin URL          of the admin interface: http://127.0.0.1:9901, or unix:PATH
  --interval SECONDS   between two looks, 2
  --once               one table, of the first interval
  --json               a line of JSON for each interval
  --token-file FILE    with the token of --wasm-push-token-file
exit codes: 0 done; 1 it is no Headgate, or an old one; 2 wrong use; 3 the process cannot be reached

  headgate top --admin http://127.0.0.1:9901
  headgate top --admin unix:/run/headgate.sock --once --json | jq .plugins[0]
`;

const MS_PER_S = 1000;
const INTERVAL_S_MAX = 86_400;
const CLEAR = "\x1b[H\x1b[2J";
/** Of an output that is no terminal. */
const LINES_MAX = 1000;

const flags = {
  admin: { type: "string" },
  interval: { type: "string" },
  once: { type: "boolean" },
  json: { type: "boolean" },
  "token-file": { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

/** Resolves with the exit code. Throws UsageError, UnreachableError. */
export async function run(argv: readonly string[]): Promise<number> {
  const { values, positionals } = parseFlags(argv, flags);
  if (values.help === true) {
    process.stdout.write(HELP);
    return 0;
  }
  const [surplus] = positionals;
  if (surplus !== undefined) throw new UsageError(`unknown argument "${surplus}"`);
  const client = new AdminClient(
    needed(values.admin, "admin"),
    readTokenFile(values["token-file"]),
  );
  const intervalMs = readInterval(values.interval ?? "2");
  let before = await look(client);
  while (before !== null) {
    await sleep(intervalMs);
    const now = await look(client);
    if (now === null) break;
    show(before, now, values.json === true);
    if (values.once === true) return 0;
    before = now;
  }
  process.stderr.write("headgate: there is no /wasm/costs: not a Headgate, or an old one\n");
  return 1;
}

function readInterval(text: string): number {
  const seconds = Number(text);
  if (text.trim() !== "" && seconds >= 0.1 && seconds <= INTERVAL_S_MAX) return seconds * MS_PER_S;
  const range = `seconds from 0.1 to ${INTERVAL_S_MAX}`;
  throw new UsageError(`--interval: found ${JSON.stringify(text)}, expected ${range}`);
}

/** Null = the process has no such page. */
async function look(client: AdminClient): Promise<CostPage | null> {
  const { status, json } = await client.send("GET", "/wasm/costs");
  const isPage = status === 200 && Array.isArray(json?.["plugins"]);
  return isPage ? (json as unknown as CostPage) : null;
}

function show(before: CostPage, now: CostPage, isJson: boolean): void {
  const rates = ratesBetween(before, now);
  const ms = now.monotonic_ms - before.monotonic_ms;
  if (isJson) {
    process.stdout.write(`${JSON.stringify({ interval_ms: ms, plugins: rates })}\n`);
    return;
  }
  const { isTTY, rows } = process.stdout;
  const lines = tableLines(rates, isTTY ? Math.max(2, rows - 2) : LINES_MAX);
  process.stdout.write(`${isTTY ? CLEAR : ""}${lines.join("\n")}\n`);
}
