// Scenarios that set what the kernel does with the accept queue of a socket that is closed. The setting
// belongs to a network namespace, so each runs in one of its own.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";

const namespace = process.getuid?.() === 0 ? ["-n"] : ["-U", "-r", "-n"];

/** False with a word on standard error about `file`, which is skipped. */
export function canHaveNamespace(file: string): boolean {
  const setUp = "ip link set lo up && test -e /proc/sys/net/ipv4/tcp_migrate_req";
  const canRun = spawnSync("unshare", [...namespace, "sh", "-c", setUp]).status === 0;
  if (!canRun) {
    process.stderr.write(
      `${file} is skipped: it needs Linux 5.14, unshare, ip, and the right to make a network ` +
        "namespace\n",
    );
  }
  return canRun;
}

/** Runs a script of this folder to its end; answers with the JSON that it prints. */
export async function runInNamespace(
  script: string,
  args: readonly (string | number)[],
): Promise<unknown> {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const command = `ip link set lo up && exec "$0" "$@"`;
  const words = ["sh", "-c", command, process.execPath, path, ...args.map(String)];
  const child = spawn("unshare", [...namespace, ...words], { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  let errors = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
  });
  const [code] = (await once(child, "close")) as [number | null];
  expect([code, errors]).toEqual([0, ""]);
  return JSON.parse(output);
}
