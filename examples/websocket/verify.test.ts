// WebSocket and CONNECT as the README promises them: the launcher on envoy.yaml, in which only the
// ports are others, with Node's own WebSocket as the client.
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { Server } from "node:http";
import { connect } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Duplex } from "node:stream";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "..", "..");
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const POLL_MS = 10;
const WAIT_MAX_MS = 60_000;

let folder: string;
let server: Server;
let headgate: ChildProcess | undefined;
let exited: Promise<number | null>;
let output = "";
let admin: string;
let webSocketPort: number;
let connectPort: number;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "headgate-websocket-"));
  server = createServer((_, response) => response.end("plain"));
  server.on("upgrade", (request, socket: Duplex) => {
    greet(String(request.headers["sec-websocket-key"]), socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const config = join(folder, "envoy.yaml");
  const adminPath = join(folder, "admin");
  writeFileSync(config, rewritePorts((server.address() as AddressInfo).port));
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
  webSocketPort = Number(/^websocket::127\.0\.0\.1:(\d+)$/m.exec(listeners)?.[1]);
  connectPort = Number(/^connect::127\.0\.0\.1:(\d+)$/m.exec(listeners)?.[1]);
}, WAIT_MAX_MS);

afterAll(async () => {
  headgate?.kill("SIGKILL");
  await exited;
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

test("a WebSocket to /chat gets its messages, and the log counts its bytes", async () => {
  const socket = new WebSocket(`ws://127.0.0.1:${webSocketPort}/chat`);
  const message = await new Promise<unknown>((resolve, reject) => {
    socket.addEventListener("open", () => socket.send("hello"));
    socket.addEventListener("message", ({ data }) => resolve(data));
    socket.addEventListener("error", () => reject(new Error("no WebSocket")));
  });
  expect(message).toBe("hello");
  const stats = await (await fetch(`http://${admin}/stats`)).text();
  expect(stats).toContain("http.websocket.downstream_cx_upgrades_active: 1\n");
  const closed = once(socket, "close");
  socket.close();
  await closed;
  // A message of 5 bytes and a close without a reason; what clients send has a mask of 4 bytes.
  await waitFor(() => /^GET 101 \S+ 17 up 9 down$/m.test(output));
});

test("an upgrade elsewhere is refused, other requests pass", async () => {
  const refused = await exchange(
    webSocketPort,
    "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    "\r\n\r\n",
  );
  expect(refused).toMatch(/^HTTP\/1.1 403 /);
  expect(await (await fetch(`http://127.0.0.1:${webSocketPort}/`)).text()).toBe("plain");
});

test("CONNECT reaches the one service, and no other", async () => {
  const name = "service.internal:9001";
  const ask = `CONNECT ${name} HTTP/1.1\r\nHost: ${name}\r\n\r\n`;
  const inside = "GET / HTTP/1.1\r\nHost: inside\r\nConnection: close\r\n\r\n";
  const answer = await exchange(connectPort, ask + inside, "\r\n\r\nplain");
  expect(answer).toMatch(/^HTTP\/1.1 200 OK\r\n[^]*\r\n\r\nHTTP\/1.1 200 OK\r\n[^]*\r\n\r\nplain$/);
  const other = "CONNECT other:9001 HTTP/1.1\r\nHost: other:9001\r\n\r\n";
  expect(await exchange(connectPort, other, "\r\n\r\n")).toMatch(/^HTTP\/1.1 404 /);
});

test("a stop ends the process", async () => {
  headgate?.kill("SIGTERM");
  expect(await exited).toBe(0);
});

/** Accepts, and says each short frame back: enough for what a test says. */
function greet(key: string, socket: Duplex): void {
  const accept = createHash("sha1")
    .update(key + GUID)
    .digest("base64");
  const lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"];
  socket.write([...lines, `Sec-WebSocket-Accept: ${accept}`, "", ""].join("\r\n"));
  socket.on("error", () => socket.destroy());
  socket.on("end", () => socket.end());
  socket.on("data", (frame: Buffer) => {
    const size = (frame[1] as number) & 0x7f;
    const mask = frame.subarray(2, 6);
    const payload = frame.subarray(6, 6 + size).map((byte, i) => byte ^ (mask[i & 3] as number));
    const first = frame[0] as number;
    socket.write(Buffer.concat([Buffer.from([first, size]), payload]));
    // After a close frame the server ends the connection (RFC 6455, 7.1.1).
    if ((first & 0x0f) === 8) socket.end();
  });
}

function collect(chunk: string): void {
  output += chunk;
}

/** envoy.yaml, with nothing changed but its ports. */
function rewritePorts(port: number): string {
  return readFileSync(join(here, "envoy.yaml"), "utf8")
    .replace("port_value: 10000", "port_value: 0")
    .replace("port_value: 10001", "port_value: 0")
    .replace("port_value: 9001", `port_value: ${port}`)
    .replace("port_value: 9901", "port_value: 0");
}

/** What comes until it ends with `last`, or the connection ends. */
async function exchange(port: number, text: string, last: string): Promise<string> {
  const socket = connect({ port, host: "127.0.0.1" });
  let got = "";
  let isOver = false;
  socket.setEncoding("latin1").on("data", (chunk: string) => {
    got += chunk;
  });
  socket.on("close", () => (isOver = true));
  socket.write(text);
  await waitFor(() => isOver || (got.includes("\r\n\r\n") && got.endsWith(last)));
  socket.destroy();
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
