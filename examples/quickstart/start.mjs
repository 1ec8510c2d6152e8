// What `npm start` runs: builds the filter when its sources have changed, starts the upstream in
// this process and Headgate in a child, and says what to try. Ends when Headgate ends, with its
// exit code.
import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildFilter } from "../../filters/build.mjs";
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
const PARENT_POLL_MS = 1000;

try {
  await main();
} catch (error) {
  console.error(error.message);
  process.exit(1);
}

async function main() {
  const built = await buildFilter(here);
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
  // A process group of its own: a Ctrl-C reaches it through us, and once.
  const child = spawn(launcher, args, { cwd: root, stdio: "inherit", detached: true });
  child.once("error", (error) => {
    console.error(`cannot start ${launcher}: ${error.message}`);
    process.exit(1);
  });
  child.once("exit", (code, signal) => process.exit(signal === null ? code : 128));
  process.once("exit", () => child.kill("SIGKILL"));
  let forwardedAt = -SIGNAL_PAUSE_MS;
  const forward = (signal) => {
    if (performance.now() - forwardedAt < SIGNAL_PAUSE_MS) return;
    forwardedAt = performance.now();
    child.kill(signal);
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, forward);
  // The shell between npm and us may die of a signal without passing it on.
  const parent = process.ppid;
  if (process.env.npm_lifecycle_event !== undefined) {
    setInterval(() => {
      if (process.ppid !== parent) forward("SIGTERM");
    }, PARENT_POLL_MS).unref();
  }
}

/** Waits until admin says that all is up; false when it never does. */
async function isReady() {
  const deadline = performance.now() + READY_WAIT_MAX_MS;
  while (performance.now() < deadline) {
    try {
      const answer = await fetch(`http://127.0.0.1:${ADMIN_PORT}/ready`);
      if (answer.status === 200) return true;
    } catch {
      // Nothing listens yet.
    }
    await new Promise((resolve) => {
      setTimeout(resolve, READY_POLL_MS);
    });
  }
  console.error(`Headgate was not ready within ${READY_WAIT_MAX_MS / 1000} s`);
  return false;
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
