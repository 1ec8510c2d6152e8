// WebSocket and CONNECT as the README promises them: the launcher on envoy.yaml, in which only the
// ports are others, with Node's own WebSocket as the client.
import { once } from "node:events";
import type { Server } from "node:http";
import { connect } from "node:net";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { RunningExample, WAIT_MAX_MS } from "../running-example.ts";
import { serve } from "./upstream.ts";

let server: Server;
let headgate: RunningExample;
let webSocketPort: number;
let connectPort: number;

beforeAll(async () => {
  server = await serve(0);
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
  expect(await (await fetch(`http://127.0.0.1:${webSocketPort}/`)).text()).toBe("plain\n");
});

test("CONNECT reaches the one service, and no other", async () => {
  const name = "service.internal:9001";
  const ask = `CONNECT ${name} HTTP/1.1\r\nHost: ${name}\r\n\r\n`;
  const inside = "GET / HTTP/1.1\r\nHost: inside\r\nConnection: close\r\n\r\n";
  const answer = await exchange(connectPort, ask + inside, "\r\n\r\nplain\n");
  expect(answer).toMatch(
    /^HTTP\/1.1 200 OK\r\n[^]*\r\n\r\nHTTP\/1.1 200 OK\r\n[^]*\r\n\r\nplain\n$/,
  );
  const other = "CONNECT other:9001 HTTP/1.1\r\nHost: other:9001\r\n\r\n";
  expect(await exchange(connectPort, other, "\r\n\r\n")).toMatch(/^HTTP\/1.1 404 /);
});

test("a stop ends the process", async () => {
  expect(await headgate.stop()).toBe(0);
});

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
