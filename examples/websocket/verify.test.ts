// WebSocket and CONNECT as the README promises them: the launcher on envoy.yaml, in which only the
// ports are others, with Node's own WebSocket as the client.
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { Server } from "node:http";
import { connect } from "node:net";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { afterAll, beforeAll, expect, test } from "vitest";
import { RunningExample, WAIT_MAX_MS } from "../running-example.ts";

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

let server: Server;
let headgate: RunningExample;
let webSocketPort: number;
let connectPort: number;

beforeAll(async () => {
  server = createServer((_, response) => response.end("plain"));
  server.on("upgrade", (request, socket: Duplex) => {
    greet(String(request.headers["sec-websocket-key"]), socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  headgate = await RunningExample.start("websocket", [
    ["port_value: 10000", "port_value: 0"],
    ["port_value: 10001", "port_value: 0"],
    ["port_value: 9001", `port_value: ${port}`],
  ]);
  webSocketPort = await headgate.port("websocket");
  connectPort = await headgate.port("connect");
}, WAIT_MAX_MS);

afterAll(async () => {
  await headgate.stop();
  server.closeAllConnections();
  server.close();
});

test("a WebSocket to /chat gets its messages, and the log counts its bytes", async () => {
  const socket = new WebSocket(`ws://127.0.0.1:${webSocketPort}/chat`);
  const message = await new Promise<unknown>((resolve, reject) => {
    socket.addEventListener("open", () => socket.send("hello"));
    socket.addEventListener("message", ({ data }) => resolve(data));
    socket.addEventListener("error", () => reject(new Error("no WebSocket")));
  });
  expect(message).toBe("hello");
  const stats = await headgate.stats();
  expect(stats).toContain("http.websocket.downstream_cx_upgrades_active: 1\n");
  const closed = once(socket, "close");
  socket.close();
  await closed;
  // A message of 5 bytes and a close without a reason; what clients send has a mask of 4 bytes.
  await headgate.until(() => /^GET 101 \S+ 17 up 9 down$/m.test(headgate.output));
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
  expect(await headgate.stop()).toBe(0);
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
  await headgate.until(() => isOver || (got.includes("\r\n\r\n") && got.endsWith(last)));
  socket.destroy();
  return got;
}
