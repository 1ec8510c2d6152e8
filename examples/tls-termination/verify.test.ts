// TLS termination as its README promises it: the launcher on envoy.yaml, in which only ports and the
// folder of the certificates are others.
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, get as getPlain } from "node:http";
import type { IncomingMessage, Server } from "node:http";
import { get } from "node:https";
import type { RequestOptions } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeCertificates } from "../make-certificates.ts";
import { RunningExample, WAIT_MAX_MS } from "../running-example.ts";

let folder: string;
let server: Server;
let example: RunningExample;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "headgate-certificates-"));
  await makeCertificates(folder);
  server = createServer((request, response) => {
    response.end(`${String(request.headers["x-forwarded-proto"])} for ${request.headers.host}`);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  example = await RunningExample.start("tls-termination", [
    ["port_value: 10443", "port_value: 0"],
    ["port_value: 10080", "port_value: 0"],
    ["port_value: 9001", `port_value: ${(server.address() as AddressInfo).port}`],
    ["examples/tls-termination/certificates", folder],
  ]);
}, WAIT_MAX_MS);

afterAll(async () => {
  await example?.stop();
  server?.close();
  rmSync(folder, { recursive: true, force: true });
});

test("each name gets its certificate, and the server plain HTTP", async () => {
  expect(await ask("one.test")).toEqual(["server", "https for one.test"]);
  expect(await ask("www.one.test")).toEqual(["server", "https for www.one.test"]);
  expect(await ask("two.test")).toEqual(["other", "https for two.test"]);
});

test("versions below 1.2 are refused", async () => {
  const old = ask("one.test", { minVersion: "TLSv1.1", maxVersion: "TLSv1.1" });
  await expect(old).rejects.toThrow(/EPROTO|alert|no protocols/i);
});

test("plain HTTP is sent to HTTPS", async () => {
  const port = await example.port("http");
  const [response] = (await once(
    getPlain({ host: "127.0.0.1", port, path: "/a", headers: { host: "one.test" }, agent: false }),
    "response",
  )) as [IncomingMessage];
  response.resume();
  expect(response.statusCode).toBe(301);
  expect(response.headers.location).toBe("https://one.test:10443/a");
});

test("the log names the certificate, stats count handshakes", async () => {
  await example.until(() => example.output.includes("two.test 200 TLSv1.3 CN=other\n"));
  const stats = await example.stats();
  expect(stats).toMatch(/^listener\.127\.0\.0\.1_0\.ssl\.handshake: [3-9]$/m);
  expect(stats).toMatch(/^listener\.127\.0\.0\.1_0\.ssl\.versions\.TLSv1\.3: [3-9]$/m);
});

/** The name in the certificate that was shown, and the answer's body. */
async function ask(name: string, more: RequestOptions = {}): Promise<[string, string]> {
  const ca = readFileSync(join(folder, "authority.pem"));
  const port = await example.port("https");
  const options = { host: "127.0.0.1", port, servername: name, ca, agent: false, ...more };
  const asked = get({ ...options, headers: { host: name } });
  const [response] = (await once(asked, "response")) as [IncomingMessage];
  const shown = (response.socket as TLSSocket).getPeerCertificate().subject.CN;
  let text = "";
  response.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  await once(response, "end");
  return [String(shown), text];
}
