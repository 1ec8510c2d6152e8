// The first proxy as its README promises it: the launcher on envoy.yaml, in which only the ports are
// others, in front of an HTTP/1.0 upstream that ends its bodies by closing.
import { spawn, spawnSync } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import type { AddressInfo, Server } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "..", "..");
const POLL_MS = 10;
const WAIT_MAX_MS = 20_000;

const hasPython = spawnSync("python3", ["-c", "import http.server"]).status === 0;

let folder: string;
let upstream: ChildProcess | Server;
let headgate: ChildProcess | undefined;
let exited: Promise<number | null>;
let output = "";
let admin: string;
let listener: string;

const upstreams = [
  { name: "Python's server", startUpstream: startPython, isThere: hasPython },
  { name: "a server that never says a length", startUpstream: startHttp10, isThere: true },
];

describe.each(upstreams.filter(({ isThere }) => isThere))("in front of $name", (chosen) => {
  beforeAll(async () => {
    output = "";
    headgate = undefined;
    folder = mkdtempSync(join(tmpdir(), "headgate-first-proxy-"));
    writeFileSync(join(folder, "hello.txt"), "hello from the upstream\n");
    const upstreamPort = await chosen.startUpstream();
    const config = join(folder, "envoy.yaml");
    const adminPath = join(folder, "admin");
    writeFileSync(config, rewritePorts(upstreamPort));
    const flags = ["--concurrency", "1", "--file-flush-interval-msec", "20"];
    const args = ["-c", config, "--admin-address-path", adminPath, ...flags];
    headgate = spawn(join(root, "runtime/bin/headgate"), args, {
      stdio: ["ignore", "pipe", "pipe"],
    });
    exited = once(headgate, "close").then(([code]) => code as number | null);
    headgate.stdout?.setEncoding("utf8").on("data", collect);
    headgate.stderr?.setEncoding("utf8").on("data", collect);
    await waitFor(async () => {
      admin = readFileSync(adminPath, "utf8");
      return admin !== "" && (await fetch(`http://${admin}/ready`)).ok;
    });
    const listeners = await (await fetch(`http://${admin}/listeners`)).text();
    const port = /^listener_0::0\.0\.0\.0:(\d+)$/m.exec(listeners)?.[1];
    listener = `http://127.0.0.1:${port}`;
  });

  afterAll(async () => {
    headgate?.kill("SIGKILL");
    await exited;
    if (upstream !== undefined && "kill" in upstream) upstream.kill("SIGKILL");
    else upstream?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test("answers in HTTP/1.1 what the upstream said in HTTP/1.0", async () => {
    const raw = await exchange("GET /hello.txt HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    expect(raw).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(raw).toMatch(/\r\nserver: envoy\r\n/);
    expect(raw).toMatch(/\r\nx-envoy-upstream-service-time: \d+\r\n/);
    expect(raw).toContain("hello from the upstream\n");
  });

  test("passes a body without a length, which ends when the upstream closes", async () => {
    const response = await fetch(`${listener}/nothing-here`);
    expect(response.status).toBe(404);
    expect(await response.text()).toContain("404");
    // A second request on the same connection: what the upstream closed is no concern of the client's.
    expect(await (await fetch(`${listener}/hello.txt`)).text()).toBe("hello from the upstream\n");
  });

  test("logs requests to the admin interface on standard output", async () => {
    const clusters = await (await fetch(`http://${admin}/clusters`)).text();
    expect(clusters).toContain("service1_cluster::default_priority::max_connections::1024");
    await waitFor(() => /"GET \/clusters HTTP\/1\.1" 200 /.test(output));
  });

  test("ends by SIGTERM", async () => {
    headgate?.kill("SIGTERM");
    expect(await exited).toBe(0);
  });
});

function collect(chunk: string): void {
  output += chunk;
}

/** envoy.yaml, with nothing changed but its three ports. */
function rewritePorts(upstreamPort: number): string {
  return readFileSync(join(here, "envoy.yaml"), "utf8")
    .replace("port_value: 8080", "port_value: 0")
    .replace("port_value: 9000", `port_value: ${upstreamPort}`)
    .replace("port_value: 9001", "port_value: 0");
}

/** Python's own server on a port that is free; it says which. */
async function startPython(): Promise<number> {
  const args = ["-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", folder];
  const python = spawn("python3", args, { stdio: ["ignore", "pipe", "ignore"] });
  upstream = python;
  let said = "";
  python.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    said += chunk;
  });
  await waitFor(() => / port \d+ /.test(said));
  return Number(/ port (\d+) /.exec(said)?.[1]);
}

/** Behaves as Python's: HTTP/1.0, and a body without a length that ends with the connection. */
async function startHttp10(): Promise<number> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", (head) => {
      const isThere = head.toString("latin1").startsWith("GET /hello.txt ");
      const status = isThere ? "200 OK" : "404 File not found";
      const body = isThere ? "hello from the upstream\n" : "Error code: 404\n";
      socket.end(`HTTP/1.0 ${status}\r\nContent-type: text/plain\r\n\r\n${body}`);
    });
  });
  upstream = server;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

function exchange(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(listener).port), "127.0.0.1");
    let got = "";
    socket.setEncoding("latin1").on("data", (chunk: string) => {
      got += chunk;
    });
    socket.on("end", () => resolve(got));
    socket.on("error", reject);
    socket.write(text);
  });
}

async function waitFor(ask: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + WAIT_MAX_MS;
  while (Date.now() < deadline && (headgate === undefined || headgate.exitCode === null)) {
    // Until something listens, asking fails; the deadline is the judge.
    const isSo = await Promise.resolve()
      .then(ask)
      .catch(() => false);
    if (isSo) return;
    await new Promise((resolve) => {
      setTimeout(resolve, POLL_MS);
    });
  }
  throw new Error(`it did not happen:\n${output}`);
}
