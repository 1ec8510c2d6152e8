// The TCP proxy as its README promises it: the launcher on envoy.yaml, in which only the ports are
// others, in front of two servers of which one goes away.
import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { AddressInfo, Server } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { RunningExample, WAIT_MAX_MS } from "../running-example.ts";

let servers: Server[];
let ports: number[];
let headgate: RunningExample;
let port: number;

beforeAll(async () => {
  servers = ["one", "two"].map(nameServer);
  ports = [];
  for (const server of servers) {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    ports.push((server.address() as AddressInfo).port);
  }
  headgate = await RunningExample.start("tcp-proxy", [
    ["port_value: 10000", "port_value: 0"],
    ["port_value: 9001", `port_value: ${ports[0]}`],
    ["port_value: 9002", `port_value: ${ports[1]}`],
  ]);
  port = await headgate.port("listener_0");
}, WAIT_MAX_MS);

afterAll(async () => {
  await headgate.stop();
  for (const server of servers) server.close();
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
  await headgate.until(() =>
    headgate.output.includes(`tcp UF 3 up 11 down 127.0.0.1:${ports[0]} after 2\n`),
  );
});

test("stats count bytes, and a stop ends the process", async () => {
  const stats = await headgate.stats();
  expect(stats).toContain("tcp.ingress_tcp.downstream_cx_total: 4\n");
  expect(stats).toContain("tcp.ingress_tcp.downstream_cx_rx_bytes_total: 8\n");
  expect(await headgate.stop()).toBe(0);
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
