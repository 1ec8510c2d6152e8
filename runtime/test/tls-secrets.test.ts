// Certificates that change under traffic, in a real process with real files: by SDS and by files of
// the configuration. No request fails, connections stay, and a bad file changes nothing.
import { mkdirSync, renameSync, symlinkSync } from "node:fs";
import type { TLSSocket } from "node:tls";
import { beforeAll, expect, test } from "vitest";
import { listener, socketAddress } from "./bootstrap.ts";
import { makeCertificate } from "./certificates.ts";
import type { TestCertificate } from "./certificates.ts";
import type { HeadgateProcess } from "./headgate-process.ts";
import { dialTls } from "./http-clients.ts";
import { Load } from "./load-client.ts";
import { useProcesses, useUpstreams } from "./process-rig.ts";

const ROTATIONS = 20;
const TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3";

const [upstream] = useUpstreams("hello");
const processes = useProcesses();
let authority: TestCertificate;

beforeAll(async () => {
  authority = await makeCertificate("authority", { isAuthority: true });
});

/** A new certificate for a.test; its number is its serial number. */
async function certificate(number: number): Promise<TestCertificate> {
  const serial = (0x10_0000 + number).toString(16);
  return await makeCertificate("server", { issuer: authority, dnsNames: ["a.test"], serial });
}

// ---- Files.

/** Moves a file into its place. */
function put(name: string, content: string | object): void {
  renameSync(processes.scratch.write(`${name}.next`, content), processes.scratch.path(name));
}

/** Both files of a pair as Kubernetes switches them: at once, by a link. */
function switchPair(number: number, { chainPem, keyPem }: TestCertificate): void {
  const { scratch } = processes;
  mkdirSync(scratch.path(`map/..v${number}`), { recursive: true });
  scratch.write(`map/..v${number}/tls.crt`, chainPem);
  scratch.write(`map/..v${number}/tls.key`, keyPem);
  symlinkSync(`..v${number}`, scratch.path("map/..data_tmp"));
  renameSync(scratch.path("map/..data_tmp"), scratch.path("map/..data"));
}

function linkPair(): void {
  for (const name of ["tls.crt", "tls.key"]) {
    symlinkSync(`..data/${name}`, processes.scratch.path(`map/${name}`));
  }
}

function sdsFile(version: string, ...secrets: readonly object[]): void {
  const resources = secrets.map((one) => ({ "@type": `${TLS}.Secret`, ...one }));
  put("sds.yaml", { version_info: version, resources });
}

function pair(chain: string, key: string): object {
  const file = (name: string): object => ({ filename: processes.scratch.path(name) });
  return { certificate_chain: file(chain), private_key: file(key) };
}

function inline({ chainPem, keyPem }: TestCertificate): object {
  const text = (inline_string: string): object => ({ inline_string });
  return { name: "server", tls_certificate: pairOf(text(chainPem), text(keyPem)) };
}

function pairOf(certificate_chain: object, private_key: object): object {
  return { certificate_chain, private_key };
}

// ---- Configuration.

function tlsListener(name: string, common: object): object {
  const typed_config = { "@type": `${TLS}.DownstreamTlsContext`, common_tls_context: common };
  const plain = listener({}, name) as { filter_chains: readonly [object] };
  const chain = { ...plain.filter_chains[0], transport_socket: { name: "tls", typed_config } };
  return { ...plain, stat_prefix: name, filter_chains: [chain] };
}

function start(...listeners: readonly object[]): Promise<HeadgateProcess> {
  const config = {
    node: { id: "n", cluster: "c" },
    admin: { address: socketAddress(0) },
    static_resources: { listeners, clusters: [cluster()] },
  };
  return processes.start(config, { concurrency: 2 });
}

function cluster(): object {
  const port = upstream?.port as number;
  const endpoints = [{ lb_endpoints: [{ endpoint: { address: socketAddress(port) } }] }];
  return { name: "up", load_assignment: { cluster_name: "up", endpoints } };
}

function bySds(): object {
  const path_config_source = { path: processes.scratch.path("sds.yaml") };
  const sds_config = { path_config_source };
  return tlsListener("sds", {
    tls_certificate_sds_secret_configs: [{ name: "server", sds_config }],
  });
}

// ---- Clients.

function serialOf(socket: TLSSocket): string {
  return socket.getPeerCertificate().serialNumber.toLowerCase();
}

/** The serial number that a new connection is shown. */
function shown(target: string): Promise<string> {
  const socket = dialTls(target, { servername: "a.test", ca: authority.pem });
  return new Promise((resolve, reject) => {
    socket.on("secureConnect", () => {
      resolve(serialOf(socket));
      socket.destroy();
    });
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("closed")));
  });
}

/** Both workers show it: each new connection comes to one of them. */
async function isShown(target: string, number: number): Promise<boolean> {
  const serials = await Promise.all(Array.from({ length: 8 }, () => shown(target)));
  return serials.every((serial) => Number.parseInt(serial, 16) === 0x10_0000 + number);
}

function load(target: string): { load: Load; connections: () => number } {
  let connections = 0;
  const tls = {
    servername: "a.test",
    ca: authority.pem,
    onSecure: () => {
      connections += 1;
    },
  };
  return {
    load: new Load({ target, keepAlive: 4, single: 4, body: "hello", tls }),
    connections: () => connections,
  };
}

test(`${ROTATIONS} rotations of each kind fail no request and close no connection`, async () => {
  const first = await certificate(0);
  sdsFile("v0", inline(first));
  switchPair(0, first);
  linkPair();
  const watched_directory = { path: processes.scratch.path("map") };
  const watched = { ...pair("map/tls.crt", "map/tls.key"), watched_directory };
  const headgate = await start(bySds(), tlsListener("files", { tls_certificates: [watched] }));
  const targets = [await headgate.listener("sds"), await headgate.listener("files")];
  const loads = targets.map(load);
  for (let number = 1; number <= ROTATIONS; number += 1) {
    const next = await certificate(number);
    const answered = loads.map((one) => one.load.answered);
    sdsFile(`v${number}`, inline(next));
    switchPair(number, next);
    for (const target of targets) {
      await headgate.waitFor(() => isShown(target, number), `certificate ${number}`);
    }
    await headgate.waitFor(
      () => loads.every((one, at) => one.load.answered > (answered[at] as number) + 8),
      "traffic",
    );
  }
  for (const one of loads) await one.load.stop();
  expect(loads.flatMap((one) => one.load.failures)).toEqual([]);
  // Nobody was asked to leave: no chain was replaced.
  expect(loads.map((one) => one.load.askedToLeave)).toEqual([0, 0]);
  expect(await headgate.stat("listener_manager.listener_modified")).toBe(0);
  expect(await headgate.stat("sds.server.update_success")).toBe(ROTATIONS + 1);
  const stats = await headgate.admin("/stats?filter=ssl_context_update_by_sds");
  expect(stats.match(/: (\d+)$/gm)).toEqual([`: ${ROTATIONS + 1}`, `: ${ROTATIONS + 1}`]);
});

test("a bad secret changes nothing, and no key is shown anywhere", async () => {
  const [first, second] = [await certificate(1), await certificate(2)];
  processes.scratch.write("a.crt", first.chainPem);
  processes.scratch.write("a.key", first.keyPem);
  sdsFile("v1", { name: "server", tls_certificate: pair("a.crt", "a.key") });
  const headgate = await start(bySds());
  const target = await headgate.listener("sds");
  expect(await isShown(target, 1)).toBe(true);

  put("a.key", second.keyPem);
  await headgate.says(
    /the files of the TLS secret server are refused, nothing changed: .*sds\.yaml:/,
  );
  expect(await isShown(target, 1)).toBe(true);
  put("a.crt", second.chainPem);
  await headgate.waitFor(() => isShown(target, 2), "the second certificate");

  const { name } = inline(first) as { name: string };
  const broken = first.keyPem.replace(/.{10}\n-----END/, "!!!!!!!!!!\n-----END");
  const bad = pairOf({ inline_string: first.chainPem }, { inline_string: broken });
  sdsFile("v2", { name, tls_certificate: bad });
  await headgate.says(/SDS update rejected, nothing changed: .*sds\.yaml:\d+:\d+: .*private_key/);
  expect(await isShown(target, 2)).toBe(true);
  expect(await headgate.stat("sds.server.update_rejected")).toBe(1);

  sdsFile("v3", inline(first));
  await headgate.waitFor(() => isShown(target, 1), "the first certificate");
  const secret = (first.keyPem.split("\n")[1] as string).slice(0, 40);
  const dump = await headgate.admin("/config_dump");
  const certs = await headgate.admin("/certs");
  expect(dump).toContain('"version_info": "v3"');
  expect(certs).toContain("a.test");
  for (const text of [dump, certs, headgate.output]) expect(text).not.toContain(secret);
});

test("until its secret comes a listener closes what it accepts, and counts it", async () => {
  sdsFile("v0");
  const headgate = await start(bySds());
  const target = await headgate.listener("sds");
  await expect(shown(target)).rejects.toThrow(/closed|disconnected|ECONNRESET/);
  const scope = "listener.sds.server_ssl_socket_factory.";
  const name = `${scope}downstream_context_secrets_not_ready`;
  await headgate.waitFor(async () => (await headgate.stat(name)) > 0, "the count");
  sdsFile("v1", inline(await certificate(1)));
  await headgate.waitFor(() => isShown(target, 1), "the certificate");
});

test("SIGHUP takes certificates and secrets that are not watched, and loses no request", async () => {
  const { scratch } = processes;
  const write = async (number: number): Promise<void> => {
    const { chainPem, keyPem } = await certificate(number);
    scratch.write("a.crt", chainPem);
    scratch.write("a.key", keyPem);
  };
  await write(1);
  const byName = { tls_certificate_sds_secret_configs: [{ name: "server" }] };
  const named = tlsListener("named", byName);
  const type = { "@type": "type.googleapis.com/envoy.config.listener.v3.Listener" };
  put("lds.yaml", { resources: [{ ...type, ...tlsListener("dynamic", byName) }] });
  const lds_config = { path_config_source: { path: scratch.path("lds.yaml") } };
  const own = tlsListener("own", { tls_certificates: [pair("a.crt", "a.key")] });
  const config = (secret: object): object => ({
    node: { id: "n", cluster: "c" },
    dynamic_resources: { lds_config },
    admin: { address: socketAddress(0) },
    static_resources: { listeners: [own, named], secrets: [secret], clusters: [cluster()] },
  });
  const headgate = await processes.start(config(inline(await certificate(1))), { concurrency: 2 });
  const names = ["own", "named", "dynamic"];
  const targets = await Promise.all(names.map(async (name) => await headgate.listener(name)));
  const loads = targets.map(load);
  for (let number = 2; number <= 4; number += 1) {
    await write(number);
    scratch.write("envoy.yaml", config(inline(await certificate(number))));
    headgate.kill("SIGHUP");
    for (const target of targets) {
      await headgate.waitFor(() => isShown(target, number), `certificate ${number}`);
    }
  }
  for (const one of loads) await one.load.stop();
  expect(loads.flatMap((one) => one.load.failures)).toEqual([]);
});
