// TCP filters in the proxy's own wasm host: bytes both ways, closing, a call before the first byte.
import { createFilterHost, type FilterHost } from "@headgate/runtime/testing";
import { afterEach, beforeAll, expect, test } from "vitest";
import { guestPath } from "./mini-host.ts";

let module: string;
let host: FilterHost | undefined;
let peers: (string | undefined)[];

beforeAll(async () => {
  module = await guestPath("tcp", "debug");
});

afterEach(() => {
  host?.close();
  host = undefined;
});

async function start(config: string): Promise<FilterHost> {
  peers = [];
  host = await createFilterHost({
    module,
    config,
    clusters: {
      yes: ({ headers }) => {
        peers.push(headers["x-peer"]);
        return { status: 200 };
      },
      no: { status: 403 },
      silent: "never",
    },
  });
  return host;
}

const messages = (): string[] =>
  (host?.logs ?? []).filter((line) => line.isGuests).map((line) => line.message);

test("a filter sees and changes bytes both ways, and waits for what is not whole", async () => {
  const connection = (await start("")).connect();
  connection.clientSends("he");
  expect(connection.toServer).toBe("(new)");
  connection.clientSends("llo\n");
  expect(connection.toServer).toBe("(new)6:hello\n");
  connection.serverSends("yes");
  expect(connection.toClient).toBe("yesy");
  connection.close(true);
  expect(messages()).toContain("downstream closed 2");
  expect(host?.contexts).toBe(1);
});

test("a filter closes the connection", async () => {
  const connection = (await start("")).connect();
  connection.clientSends("quit\n");
  expect(connection.closed).not.toBeNull();
  expect(connection.toServer).toBe("(new)");
  expect(host?.contexts).toBe(1);
});

test("a call holds a new connection, and its answer lets it go on with what has come", async () => {
  const connection = (await start("yes")).connect();
  connection.clientSends("hi\n");
  expect(connection.toServer).toBe("(new)3:hi\n");
  expect(peers).toEqual(["127.0.0.1:50000"]);
  expect(connection.closed).toBeNull();
});

test.each(["no", "nowhere"])("a call that fails or is denied closes it: %s", async (cluster) => {
  const connection = (await start(cluster)).connect();
  expect(connection.closed).not.toBeNull();
  connection.clientSends("hi\n");
  expect(connection.toServer).not.toContain("hi");
  expect(messages().find((line) => line.startsWith("asked"))).toMatch(/^asked (true 403|false 0)$/);
});

test("a connection that ends while its call waits leaves nothing behind", async () => {
  const connection = (await start("silent")).connect();
  connection.clientSends("hi\n");
  expect(connection.toServer).not.toContain("hi");
  connection.close(true);
  expect(host?.contexts).toBe(1);
});
