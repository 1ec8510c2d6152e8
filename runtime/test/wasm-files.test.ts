// Files in memory for a guest in a real process. package.test.ts has a bundle that cannot.
import { writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { OUT, wasiGuest } from "../src/wasm/hostcalls/wasi-guest-for-test.ts";
import { bootstrap, wasmFilter } from "./bootstrap.ts";
import { useProcesses } from "./process-rig.ts";

const processes = useProcesses({ concurrency: 2 });
const NAME = 20_000;
const RIGHTS = 0x1fff_ffff;

/** A guest that makes a file while it is configured, and what it needs beside it. */
function files(): { readonly config: object; readonly policy: string } {
  const module = processes.scratch.path("guest.wasm");
  const create = [4, 0, NAME, 5, 1, RIGHTS, RIGHTS, 0, OUT];
  const calls = [{ name: "path_open", args: create }];
  writeFileSync(module, wasiGuest({ calls, data: [[NAME, Buffer.from("notes")]] }));
  const policy = processes.scratch.path("policy.yaml");
  writeFileSync(policy, "plugins: {guest: {files: on}}\n");
  return { config: bootstrap({ upstreamPort: 9, filters: [wasmFilter(module)] }), policy };
}

test("a plugin with `files: on` has them in every worker", async () => {
  const { config, policy } = files();
  const headgate = await processes.start(config, { flags: ["--wasm-policy", policy] });
  const opened = headgate.output.match(/answer 00000000/g) ?? [];
  expect(opened.length).toBe(2);
});
