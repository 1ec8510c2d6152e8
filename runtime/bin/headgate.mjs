#!/usr/bin/env node
// Starts Headgate from its sources; bin/headgate execs the pinned Node.js on this file. Started by hand
// on an old Node.js it goes on in the pinned one. Plain JavaScript: it must parse on any Node.js.
import { existsSync } from "node:fs";
import nodeModule from "node:module";
import { fileURLToPath } from "node:url";

// First of all, or Node.js opens its debugger's port on it. (--disable-sigusr1 is no way: it blocks the
// signal, and log rotation with it.)
process.on("SIGUSR1", () => {});
const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 24 || (major === 24 && minor < 15)) await continueInPinnedNode();
else {
  keepCompiledCode();
  const { main } = await import("../src/cli/main.ts");
  const entries = {
    worker: new URL("../src/server/worker-entry.ts", import.meta.url),
    probe: new URL("../src/server/probe-entry.ts", import.meta.url),
  };
  process.exit(await main(process.argv.slice(2), entries));
}

/**
 * Sources stripped of types and compiled once are kept in node_modules, with the rights of the code
 * itself; by the environment, so that worker threads have them too. It halves the start.
 */
function keepCompiledCode() {
  const folder = fileURLToPath(new URL("../../node_modules/.cache/headgate", import.meta.url));
  process.env.NODE_COMPILE_CACHE ??= folder;
  nodeModule.enableCompileCache(process.env.NODE_COMPILE_CACHE);
}

/** In place where the system can (same process id, same signals), else as a child that we follow. */
async function continueInPinnedNode() {
  const node = fileURLToPath(new URL("../../node_modules/.bin/node", import.meta.url));
  if (!existsSync(node)) {
    await import("./check-node.mjs");
    return;
  }
  const args = [fileURLToPath(import.meta.url), ...process.argv.slice(2)];
  if (typeof process.execve === "function") process.execve(node, [node, ...args], process.env);
  const { spawn } = await import("node:child_process");
  const child = spawn(node, args, { stdio: "inherit" });
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "SIGUSR2"]) {
    process.on(signal, () => child.kill(signal));
  }
  child.on("exit", (code, signal) => {
    if (signal !== null) process.kill(process.pid, signal);
    process.exitCode = code ?? 1;
  });
}
