// SNI passthrough as its README promises it: the launcher on envoy.yaml, in which only the ports are
// others, in front of the two servers.
import { request } from "node:https";
import { connect } from "node:tls";
import { afterAll, beforeAll, expect, test } from "vitest";
import { RunningExample, WAIT_MAX_MS } from "../running-example.ts";
import { serve } from "./servers.ts";
import type { NamedServer } from "./servers.ts";

/** What node:tls says of a connection that ends before its handshake. */
const CUT = /disconnected|ECONNRESET/;

let shop: NamedServer;
let mail: NamedServer;
let example: RunningExample;
let port: number;

beforeAll(async () => {
  [shop, mail] = await Promise.all([serve("shop", 0), serve("mail", 0)]);
  example = await RunningExample.start("sni-passthrough", [
    ["port_value: 10443", "port_value: 0"],
    ["port_value: 9443", `port_value: ${shop.port}`],
    ["port_value: 9444", `port_value: ${mail.port}`],
  ]);
  port = await example.port("listener_0");
}, WAIT_MAX_MS);

afterAll(async () => {
  await example?.stop();
  shop?.server.close();
  mail?.server.close();
});

test("each name reaches its server, whose own certificate the client trusts", async () => {
  expect(await ask("shop.test", shop)).toBe("shop answers\n");
  expect(await ask("www.shop.test", shop)).toBe("shop answers\n");
  expect(await ask("mail.test", mail)).toBe("mail answers\n");
  // The other server's certificate is not trusted: nobody but the server can have answered.
  await expect(ask("mail.test", shop)).rejects.toThrow(/self-signed certificate/);
});

test("a name that nobody serves, and no name at all, are closed and counted", async () => {
  await expect(handshake("else.test")).rejects.toThrow(CUT);
  await expect(handshake("")).rejects.toThrow(CUT);
  const stats = await example.stats();
  expect(stats).toMatch(/^listener\.127\.0\.0\.1_0\.no_filter_chain_match: 2$/m);
  expect(stats).toMatch(/^tls_inspector\.sni_not_found: 1$/m);
});

test("each connection leaves a line with chain, name and server", async () => {
  const line = `shop for www.shop.test to 127.0.0.1:${shop.port} -\n`;
  await example.until(() => example.output.includes(line));
  expect(example.output).toContain(`mail for mail.test to 127.0.0.1:${mail.port}`);
});

/** What the server of `name` says to a client that trusts `trusted` only. */
function ask(name: string, trusted: NamedServer): Promise<string> {
  const options = { host: "127.0.0.1", port, servername: name, ca: trusted.certificate };
  return new Promise((resolve, reject) => {
    const asked = request({ ...options, headers: { host: name }, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("end", () => resolve(text));
    });
    asked.on("error", reject);
    asked.end();
  });
}

function handshake(servername: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port, servername, rejectUnauthorized: false });
    socket.on("secureConnect", () => resolve());
    socket.on("error", reject);
  });
}
