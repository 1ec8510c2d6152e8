// Secrets of TLS to upstreams that come by SDS files, in a real process: nothing is sent before they
// are there, and no request fails while they change.
import { renameSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bootstrap, socketAddress } from "./bootstrap.ts";
import { makeCertificate } from "./certificates.ts";
import type { TestCertificate } from "./certificates.ts";
import { get } from "./http-clients.ts";
import type { HeadgateProcess } from "./headgate-process.ts";
import { Load } from "./load-client.ts";
import { useProcesses } from "./process-rig.ts";
import { TlsUpstream } from "./tls-upstream.ts";

const TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3";
const ROTATIONS = 20;

const processes = useProcesses();
let authority: TestCertificate;
let upstream: TlsUpstream;

beforeAll(async () => {
  authority = await makeCertificate("authority", { isAuthority: true });
  const leaf = await makeCertificate("leaf", { issuer: authority, dnsNames: ["a.test"] });
  const asking = { requestCert: true, rejectUnauthorized: true, ca: authority.pem };
  upstream = new TlsUpstream(leaf, asking);
  await upstream.listen();
});

afterAll(() => upstream.close());

function put(version: string, ...secrets: readonly object[]): void {
  const resources = secrets.map((one) => ({ "@type": `${TLS}.Secret`, ...one }));
  const next = processes.scratch.write("sds.next", { version_info: version, resources });
  renameSync(next, processes.scratch.path("sds.yaml"));
}

function own({ chainPem, keyPem }: TestCertificate): object {
  const certificate_chain = { inline_string: chainPem };
  const private_key = { inline_string: keyPem };
  return { name: "own", tls_certificate: { certificate_chain, private_key } };
}

async function start(): Promise<HeadgateProcess> {
  const sds_config = { path_config_source: { path: processes.scratch.path("sds.yaml") } };
  const common_tls_context = {
    tls_certificate_sds_secret_configs: [{ name: "own", sds_config }],
    validation_context: { trusted_ca: { inline_string: authority.pem } },
  };
  const typed_config = { "@type": `${TLS}.UpstreamTlsContext`, common_tls_context };
  const lb_endpoints = [{ endpoint: { address: socketAddress(upstream.port) } }];
  const cluster = {
    name: "up",
    // Each request makes its handshake, and none is resumed.
    max_requests_per_connection: 1,
    transport_socket: { name: "tls", typed_config: { ...typed_config, max_session_keys: 0 } },
    load_assignment: { cluster_name: "up", endpoints: [{ lb_endpoints }] },
  };
  const base = bootstrap() as { static_resources: object };
  const static_resources = { ...base.static_resources, clusters: [cluster] };
  const config = { ...base, node: { id: "n", cluster: "c" }, static_resources };
  return await processes.start(config, { concurrency: 2 });
}

test("without its certificate a cluster sends nothing; it works when that comes", async () => {
  put("0");
  const headgate = await start();
  const target = await headgate.listener();
  const answer = await get(target);
  expect(answer.status).toBe(503);
  expect(answer.body).toContain("reset reason: remote connection failure");
  expect(await headgate.stat("cluster.up.ssl.handshake")).toBe(0);
  put("1", own(await makeCertificate("first", { issuer: authority })));
  await headgate.waitFor(async () => (await get(target)).status === 200, "an answer");
  expect((await get(target)).body).toContain('"client":"CN=first"');
});

test("no request fails while the certificate changes, and the upstream sees each", async () => {
  const certificates = await Promise.all(
    Array.from({ length: ROTATIONS }, (_, i) => makeCertificate(`c${i}`, { issuer: authority })),
  );
  put("c0", own(certificates[0] as TestCertificate));
  const headgate = await start();
  const target = await headgate.listener();
  const load = new Load({ target, keepAlive: 2, single: 1 });
  for (const [i, certificate] of certificates.entries()) {
    if (i > 0) put(`c${i}`, own(certificate));
    const name = `"client":"CN=${certificate.name}"`;
    await headgate.waitFor(async () => (await get(target)).body.includes(name), certificate.name);
  }
  await load.stop();
  expect(load.failures).toEqual([]);
  expect(load.answered).toBeGreaterThan(ROTATIONS);
  expect(await headgate.stat("cluster.up.upstream_cx_connect_fail")).toBe(0);
  expect(await headgate.stat("cluster.up.ssl.session_reused")).toBe(0);
});
