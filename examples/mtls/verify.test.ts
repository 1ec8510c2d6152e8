// Mutual TLS as its README promises it: the launcher on envoy.yaml, in which only ports and the folder
// of the certificates are others.
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { get } from "node:https";
import type { Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeCertificates } from "../make-certificates.ts";
import { RunningExample, WAIT_MAX_MS } from "../running-example.ts";
import { serve } from "./upstream.ts";

let folder: string;
let server: Server;
let example: RunningExample;
let port: number;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "headgate-certificates-"));
  await makeCertificates(folder);
  server = await serve(folder, 0);
  example = await RunningExample.start("mtls", [
    ["port_value: 10443", "port_value: 0"],
    ["port_value: 9443", `port_value: ${(server.address() as AddressInfo).port}`],
    ["examples/mtls/certificates", folder],
  ]);
  port = await example.port("listener_0");
}, WAIT_MAX_MS);

afterAll(async () => {
  await example?.stop();
  server?.close();
  rmSync(folder, { recursive: true, force: true });
});

test("a client with a certificate reaches the upstream, which learns who it is", async () => {
  const text = await ask("client", { "x-forwarded-client-cert": "By=forged" });
  expect(text).toMatch(/^client asks for Hash=[0-9a-f]{64};/);
  expect(text).toContain('Subject="');
  expect(text).toContain(";URI=spiffe://example/client");
  expect(text).not.toContain("forged");
  await example.until(() => example.output.includes("spiffe://example/client 200 - CN=other\n"));
});

test("without a certificate, and with one of another id, clients are refused and counted", async () => {
  await expect(ask("")).rejects.toThrow(/alert|ECONNRESET|socket hang up/);
  await expect(ask("other")).rejects.toThrow(/alert|ECONNRESET|socket hang up/);
  const stats = await example.stats();
  expect(stats).toMatch(/^listener\.127\.0\.0\.1_0\.ssl\.fail_verify_no_cert: 1$/m);
  expect(stats).toMatch(/^listener\.127\.0\.0\.1_0\.ssl\.fail_verify_san: 1$/m);
});

/** The answer to a client with this certificate, "" = none. */
async function ask(certificate: string, headers: Record<string, string> = {}): Promise<string> {
  const read = (name: string): Buffer => readFileSync(join(folder, name));
  const own =
    certificate === ""
      ? {}
      : { cert: read(`${certificate}.pem`), key: read(`${certificate}-key.pem`) };
  const options = { host: "127.0.0.1", port, servername: "one.test", agent: false, headers };
  const asked = get({ ...options, ca: read("authority.pem"), ...own });
  const [response] = (await once(asked, "response")) as [IncomingMessage];
  let text = "";
  response.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  await once(response, "end");
  return text;
}
