// The quickstart as its README promises it, through real processes: the launcher on envoy.yaml with
// its upstream. Only the ports are others, so that tests can run side by side.
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import type { Server } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildFilter } from "../../filters/build.mjs";
import { startUpstream } from "./upstream.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "..", "..");
const launcher = join(root, "runtime", "bin", "headgate");
const mains = ["runtime/bin/headgate.mjs", "runtime/dist/headgate.mjs"];
const isThere = existsSync(launcher) && mains.some((main) => existsSync(join(root, main)));

if (!isThere) console.warn("SKIPPED examples/quickstart: there is no runtime/bin/headgate yet");

const POLL_MS = 20;
const WAIT_MAX_MS = 20_000;

describe.skipIf(!isThere)("the quickstart", () => {
  let folder: string;
  let upstream: Server;
  let headgate: ChildProcess;
  let output = "";
  let exited: Promise<number | null>;
  let listener: string;

  beforeAll(async () => {
    await buildFilter(here);
    upstream = await startUpstream(0);
    folder = mkdtempSync(join(tmpdir(), "headgate-quickstart-"));
    const config = join(folder, "envoy.yaml");
    const adminPath = join(folder, "admin");
    const upstreamPort = (upstream.address() as AddressInfo).port;
    writeFileSync(config, rewritePorts(upstreamPort));
    const flags = ["--concurrency", "1", "--file-flush-interval-msec", "50"];
    const args = ["-c", config, "--admin-address-path", adminPath, ...flags];
    headgate = spawn(launcher, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
    exited = new Promise((resolve) => {
      headgate.once("exit", resolve);
    });
    headgate.stdout?.setEncoding("utf8").on("data", collect);
    headgate.stderr?.setEncoding("utf8").on("data", collect);
    const admin = await waitFor(() => readAdmin(adminPath));
    await waitFor(async () => ((await fetch(`http://${admin}/ready`)).ok ? true : undefined));
    const listeners = await (await fetch(`http://${admin}/listeners`)).text();
    listener = `http://${/main::(\S+)/.exec(listeners)?.[1]}`;
  });

  afterAll(async () => {
    headgate?.kill("SIGKILL");
    await exited;
    upstream?.close();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  function collect(chunk: string): void {
    output += chunk;
  }

  /** Polls until there is an answer; fails with what the process said when there is none. */
  async function waitFor<T>(ask: () => T | undefined | Promise<T | undefined>): Promise<T> {
    const deadline = Date.now() + WAIT_MAX_MS;
    while (Date.now() < deadline && headgate.exitCode === null) {
      // Until it listens, asking fails; the deadline is the judge.
      const answer = await Promise.resolve()
        .then(ask)
        .catch(() => undefined);
      if (answer !== undefined) return answer;
      await new Promise((resolve) => {
        setTimeout(resolve, POLL_MS);
      });
    }
    throw new Error(`headgate did not get ready (exit code ${headgate.exitCode}):\n${output}`);
  }

  test("answers from the upstream with the filter's header", async () => {
    const response = await fetch(`${listener}/some/path?a=b`, { method: "POST", body: "hello" });
    expect(response.status).toBe(200);
    expect(response.headers.get("x-hello")).toBe("hello from WebAssembly");
    const text = await response.text();
    expect(text).toContain("POST /some/path?a=b\n");
    expect(text).toContain("and 5 bytes of body.");
  });

  test("answers /teapot from the filter itself", async () => {
    const response = await fetch(`${listener}/teapot`);
    expect(response.status).toBe(418);
    expect(response.headers.get("x-hello")).toBe("hello from WebAssembly");
    expect(await response.text()).toBe("I am a teapot.\n");
  });

  test("logs what the filter says, and a line per request", async () => {
    await (await fetch(`${listener}/logged`)).text();
    await waitFor(() => (/"GET \/logged HTTP\/1.1" 200/.test(output) ? true : undefined));
    expect(output).toContain("hello is configured to say: hello from WebAssembly");
  });

  test("ends by SIGTERM", async () => {
    headgate.kill("SIGTERM");
    expect(await exited).toBe(0);
  });
});

test("envoy.yaml holds the ports that start.mjs tells", () => {
  const start = readFileSync(join(here, "start.mjs"), "utf8");
  const told = Array.from(start.matchAll(/^const \w+_PORT = (\d+);/gm), (match) => match[1]);
  const yaml = readFileSync(join(here, "envoy.yaml"), "utf8");
  const held = Array.from(yaml.matchAll(/port_value: (\d+)/g), (match) => match[1]);
  expect(new Set(told)).toEqual(new Set(held));
  expect(told).toHaveLength(held.length);
});

function rewritePorts(upstreamPort: number): string {
  const yaml = readFileSync(join(here, "envoy.yaml"), "utf8");
  return yaml
    .replace("port_value: 9901", "port_value: 0")
    .replace("port_value: 10001", `port_value: ${upstreamPort}`)
    .replace("port_value: 10000", "port_value: 0");
}

function readAdmin(path: string): string | undefined {
  const text = existsSync(path) ? readFileSync(path, "utf8").trim() : "";
  return text === "" ? undefined : text;
}
