// What `npm start` runs: builds the filter when its sources have changed, starts the upstream in
// this process and Headgate in a child, and says what to try. Ends when Headgate ends, with its
// exit code.
import "../../runtime/bin/check-node.mjs";
import { spawn } from "node:child_process";
import { get } from "node:http";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildFilter } from "../../filters/build.mjs";
import { formatDiagnostics } from "../../sdk-assemblyscript/build.mjs";
import { startUpstream } from "./upstream.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "..", "..");

// As in envoy.yaml.
const LISTENER_PORT = 10000;
const ADMIN_PORT = 9901;
const UPSTREAM_PORT = 10001;
const READY_POLL_MS = 50;
const READY_WAIT_MAX_MS = 30_000;
/**
 * A terminal and npm may both pass on one Ctrl-C, and Headgate exits at once on a second signal.
 */
const SIGNAL_PAUSE_MS = 500;
const PARENT_POLL_MS = 250;
const parent = process.ppid;

try {
  await main();
} catch (error) {
  console.error(error.message);
  process.exit(1);
}

async function main() {
  const built = await buildFilter(here);
  if (built.warnings.length > 0) console.error(formatDiagnostics(built.warnings));
  if (!built.isCached) console.log("The filter was built: examples/quickstart/build/hello.wasm");
  await checkPort(LISTENER_PORT, "the listener");
  await checkPort(ADMIN_PORT, "admin");
  try {
    await startUpstream(UPSTREAM_PORT);
  } catch (error) {
    throw portError(error, UPSTREAM_PORT, "the upstream");
  }
  startHeadgate();
  if (await isReady()) tell();
}

/** Headgate would say it, too, but in a log. */
function checkPort(port, use) {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", (error) => reject(portError(error, port, use)));
    probe.listen(port, "127.0.0.1", () => probe.close(resolve));
  });
}

function portError(error, port, use) {
  if (error.code !== "EADDRINUSE") return error;
  return new Error(`port ${port} (for ${use}) is in use: stop what listens on 127.0.0.1:${port}`);
}

function startHeadgate() {
  const launcher = join(root, "runtime", "bin", "headgate");
  const args = ["-c", "examples/quickstart/envoy.yaml"];
  // Quiet but for what filters say, and each request is seen when it is over.
  args.push("-l", "warning", "--component-log-level", "wasm:info");
  args.push("--file-flush-interval-msec", "100");
  // A process group of its own: a Ctrl-C reaches it through us, and once.
  const child = spawn(launcher, args, { cwd: root, stdio: "inherit", detached: true });
  child.once("error", (error) => {
    console.error(`cannot start ${launcher}: ${error.message}`);
    process.exit(1);
  });
  child.once("exit", (code, signal) => process.exit(signal === null ? code : 128));
  process.once("exit", () => child.kill("SIGKILL"));
  stopWithUs(child.pid);
  let forwardedAt = -SIGNAL_PAUSE_MS;
  const stop = () => {
    if (performance.now() - forwardedAt < SIGNAL_PAUSE_MS) return;
    forwardedAt = performance.now();
    child.kill("SIGTERM");
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, stop);
  // npm may die without passing it on.
  if (process.env.npm_lifecycle_event !== undefined) {
    setInterval(() => {
      if (process.ppid !== parent) stop();
    }, PARENT_POLL_MS).unref();
  }
}

/** Should this process be killed, a shell sees its input end and stops Headgate. */
function stopWithUs(pid) {
  if (process.platform === "win32" || pid === undefined) return;
  const script = 'read -r _; kill -TERM "$0" 2>/dev/null';
  const stdio = ["pipe", "ignore", "ignore"];
  spawn("sh", ["-c", script, String(pid)], { stdio, detached: true }).unref();
}

/** Waits until admin says that all is up; false when it never does. */
async function isReady() {
  const deadline = performance.now() + READY_WAIT_MAX_MS;
  while (performance.now() < deadline) {
    if ((await adminStatus()) === 200) return true;
    await new Promise((resolve) => {
      setTimeout(resolve, READY_POLL_MS);
    });
  }
  console.error(`Headgate was not ready within ${READY_WAIT_MAX_MS / 1000} s`);
  return false;
}

/** What admin answers to /ready; 0 while nothing listens. */
function adminStatus() {
  return new Promise((resolve) => {
    const request = get(`http://127.0.0.1:${ADMIN_PORT}/ready`, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    });
    request.once("error", () => resolve(0));
  });
}

function tell() {
  console.log(`
Headgate listens on http://127.0.0.1:${LISTENER_PORT}, its admin on http://127.0.0.1:${ADMIN_PORT}.
Behind it is a small upstream on http://127.0.0.1:${UPSTREAM_PORT}. Try, in another terminal:

  curl -i http://127.0.0.1:${LISTENER_PORT}/         the filter adds the header x-hello
  curl -i http://127.0.0.1:${LISTENER_PORT}/teapot   the filter answers by itself
  curl http://127.0.0.1:${ADMIN_PORT}/stats        what was counted

The filter is examples/quickstart/assembly/index.ts. Ctrl-C stops everything.
`);
}
