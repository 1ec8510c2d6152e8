// The TCP proxy as its README promises it: the launcher on envoy.yaml, in which only the ports are
// others, in front of two servers of which one goes away.
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import type { AddressInfo, Server } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "..", "..");
const POLL_MS = 10;
const WAIT_MAX_MS = 60_000;

let folder: string;
let servers: Server[];
let ports: number[];
let headgate: ChildProcess | undefined;
let exited: Promise<number | null>;
let output = "";
let admin: string;
let port: number;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "headgate-tcp-proxy-"));
  servers = ["one", "two"].map(nameServer);
  ports = [];
  for (const server of servers) {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    ports.push((server.address() as AddressInfo).port);
  }
  const config = join(folder, "envoy.yaml");
  const adminPath = join(folder, "admin");
  writeFileSync(config, rewritePorts());
  const flags = ["--concurrency", "1", "--file-flush-interval-msec", "20"];
  const args = ["-c", config, "--admin-address-path", adminPath, ...flags];
  headgate = spawn(join(root, "runtime/bin/headgate"), args, { stdio: ["ignore", "pipe", "pipe"] });
  exited = once(headgate, "close").then(([code]) => code as number | null);
  headgate.stdout?.setEncoding("utf8").on("data", collect);
  headgate.stderr?.setEncoding("utf8").on("data", collect);
  await waitFor(async () => {
    admin = readFileSync(adminPath, "utf8");
    return admin !== "" && (await fetch(`http://${admin}/ready`)).ok;
  });
  const listeners = await (await fetch(`http://${admin}/listeners`)).text();
  port = Number(/^listener_0::127\.0\.0\.1:(\d+)$/m.exec(listeners)?.[1]);
}, WAIT_MAX_MS);

afterAll(async () => {
  headgate?.kill("SIGKILL");
  await exited;
  for (const server of servers) server.close();
  rmSync(folder, { recursive: true, force: true });
});

test("connections go to both servers, and answers come after the client's end", async () => {
  const answers = [await exchange("a"), await exchange("b")];
  expect(answers.toSorted()).toEqual(["one heard 1", "two heard 1"]);
});

test("a server that is gone is passed over, and the log says so", async () => {
  const [, second] = servers;
  second?.close();
  const answers = [await exchange("abc"), await exchange("abc")];
  expect(answers).toEqual(["one heard 3", "one heard 3"]);
  await waitFor(() => output.includes(`tcp UF 3 up 11 down 127.0.0.1:${ports[0]} after 2\n`));
});

test("stats count bytes, and a stop ends the process", async () => {
  const stats = await (await fetch(`http://${admin}/stats`)).text();
  expect(stats).toContain("tcp.ingress_tcp.downstream_cx_total: 4\n");
  expect(stats).toContain("tcp.ingress_tcp.downstream_cx_rx_bytes_total: 8\n");
  headgate?.kill("SIGTERM");
  expect(await exited).toBe(0);
});

/** Says, when the client has ended, how much it heard. */
function nameServer(name: string): Server {
  return createServer({ allowHalfOpen: true }, (socket) => {
    let heard = 0;
    socket.on("error", () => {});
    socket.on("data", (data) => {
      heard += data.length;
    });
    socket.on("end", () => socket.end(`${name} heard ${heard}`));
  });
}

function collect(chunk: string): void {
  output += chunk;
}

/** envoy.yaml, with nothing changed but its ports. */
function rewritePorts(): string {
  return readFileSync(join(here, "envoy.yaml"), "utf8")
    .replace("port_value: 10000", "port_value: 0")
    .replace("port_value: 9001", `port_value: ${ports[0]}`)
    .replace("port_value: 9002", `port_value: ${ports[1]}`)
    .replace("port_value: 9901", "port_value: 0");
}

async function exchange(text: string): Promise<string> {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  let got = "";
  socket.setEncoding("latin1").on("data", (chunk: string) => {
    got += chunk;
  });
  socket.end(text);
  await once(socket, "end");
  return got;
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
