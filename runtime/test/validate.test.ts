// `headgate --mode validate`, from the launcher to its exit code.
import { execFile, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, closeSync, existsSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bootstrap, fileAccessLog } from "./bootstrap.ts";
import { Scratch } from "./headgate-process.ts";
import { launcher } from "./launcher.ts";

const TYPES = "type.googleapis.com/envoy.extensions";
const AUTHZ = "envoy.extensions.filters.http.ext_authz.v3.ExtAuthz";
const HCM_PATH = "static_resources.listeners[0].filter_chains[0].filters[0].typed_config";
/** For hangs. */
const VALIDATE_MS_MAX = 90_000;

const scratch = new Scratch();
afterAll(() => scratch.remove());

interface Said {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs in the scratch folder: files in configurations are relative to it. */
function headgate(...args: readonly string[]): Promise<Said> {
  const options = { cwd: scratch.folder, timeout: VALIDATE_MS_MAX };
  return new Promise((resolve) => {
    execFile(launcher, args, options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

function validate(file: string, ...more: readonly string[]): Promise<Said> {
  return headgate("--mode", "validate", "-c", file, ...more);
}

interface Parts {
  readonly port?: number | string;
  readonly hosts?: string;
  readonly regex?: string;
  readonly cluster?: string;
  /** Lines of http_filters before the router. */
  readonly filters?: string;
  /** Lines at the end. */
  readonly end?: string;
}

/** 21 lines and the filters; regular expression and cluster are on lines 16 and 17. */
function text(parts: Parts): string {
  return `static_resources:
  clusters: [{name: up}]
  listeners:
    - name: main
      address: { socket_address: { address: 127.0.0.1, port_value: ${parts.port ?? 0} } }
      filter_chains:
        - filters:
            - name: hcm
              typed_config:
                "@type": ${TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: main
                route_config:
                  virtual_hosts:
                    - { name: all, ${parts.hosts ?? "domains"}: ["*"], routes: [
                        {
                          match: { safe_regex: { regex: "${parts.regex ?? "/.*"}" } },
                          route: { cluster: ${parts.cluster ?? "up"} } } ] }
                access_log:
                  - { name: l, typed_config: { "@type": ${TYPES}.access_loggers.file.v3.FileAccessLog, path: access.log } }
                http_filters:
                  - { name: router, typed_config: { "@type": ${TYPES}.filters.http.router.v3.Router } }
${parts.filters ?? ""}
${parts.end ?? ""}
`;
}

/** As `text`, with these filters before the router. */
function withFilters(filters: string, parts: Parts = {}): string {
  const lines = text(parts).split("\n");
  const at = lines.findIndex((line) => line.includes("http_filters:"));
  return [...lines.slice(0, at + 1), ...filters.split("\n"), ...lines.slice(at + 1)].join("\n");
}

const wasmFilter = (file: string): string => `                  - name: guest
                    typed_config:
                      "@type": ${TYPES}.filters.http.wasm.v3.Wasm
                      config: { vm_config: { code: { local: { filename: ${file} } } } }`;
const authFilter = `                  - name: auth
                    typed_config: { "@type": type.googleapis.com/${AUTHZ} }`;

beforeAll(() => {
  scratch.write("good.yaml", text({}));
});

test("says that a good configuration is good, and makes no file", async () => {
  const said = await validate("good.yaml");
  expect(said).toEqual({ code: 0, stdout: "configuration 'good.yaml' OK\n", stderr: "" });
  expect(existsSync(scratch.path("access.log"))).toBe(false);
});

test("opens no port", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  scratch.write("taken.yaml", text({ port }));
  const { code } = await validate("taken.yaml");
  await new Promise((resolve) => server.close(resolve));
  expect(code).toBe(0);
});

test("names the mistakes of all stages in one run, in the order of the text", async () => {
  const parts = {
    port: 70_000,
    hosts: "domain",
    regex: "(",
    cluster: "nowhere",
    end: "tracing: {}",
  };
  scratch.write("many.yaml", withFilters(`${authFilter}\n${wasmFilter("none.wasm")}`, parts));
  const { code, stdout, stderr } = await validate("many.yaml");
  const host = `${HCM_PATH}.route_config.virtual_hosts[0]`;
  const filters = `${HCM_PATH}.http_filters`;
  expect(stderr.trimEnd().split("\n")).toEqual([
    "many.yaml:5:68: static_resources.listeners[0].address.socket_address.port_value: found 70000: value must be less than or equal to 65535",
    `many.yaml:14:23: ${host}.domains: found 0 items: value must contain at least 1 item(s)`,
    `many.yaml:14:36: ${host}.domain: unknown field "domain" in envoy.config.route.v3.VirtualHost (did you mean "domains"?)`,
    `many.yaml:16:57: ${host}.routes[0].match.safe_regex.regex: found "(", expected a RE2 regular expression: error parsing regexp: missing closing ): \`(\``,
    `many.yaml:17:45: ${host}.routes[0].route.cluster: unknown cluster 'nowhere'`,
    `many.yaml:22:35: ${filters}[0].typed_config: the HTTP filter ${AUTHZ} is not implemented by Headgate`,
    `many.yaml:26:73: ${filters}[1].typed_config.config.vm_config.code.local.filename: none.wasm: cannot be read: no such file`,
    "many.yaml:29:1: tracing: not implemented by Headgate",
  ]);
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
});

test.each<[string, string | Buffer, RegExp]>([
  [
    "text.wasm",
    "(module)",
    /^x\.yaml:24:73: .*\.code\.local\.filename: text\.wasm: is no WebAssembly module\n$/,
  ],
  [
    "broken.wasm",
    Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1]),
    /^x\.yaml:24:\d+: .*http_filters\[0\]\.typed_config\.config: broken\.wasm: byte 9: unexpected end\n$/,
  ],
  [
    "empty.wasm",
    Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]),
    /^x\.yaml:24:\d+: .*http_filters\[0\]\.typed_config\.config: empty\.wasm: 3 problems\n {2}missing or unknown proxy-wasm abi version/,
  ],
])("refuses %s with its place", async (name, content, expected) => {
  writeFileSync(scratch.path(name), content);
  scratch.write("x.yaml", withFilters(wasmFilter(name)));
  const { code, stdout, stderr } = await validate("x.yaml");
  expect(stderr).toMatch(expected);
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
});

test("refuses a missing file, a folder and text that is no YAML", async () => {
  scratch.write("broken.yaml", "a: [b\n");
  const missing = await validate("none.yaml");
  expect(missing).toEqual({
    code: 1,
    stdout: "",
    stderr:
      "none.yaml: unable to read the file: ENOENT: no such file or directory, open 'none.yaml'\n",
  });
  const folder = await validate(".");
  expect(folder.code).toBe(1);
  expect(folder.stderr).toMatch(/^\.: unable to read the file: EISDIR/);
  const broken = await validate("broken.yaml");
  expect(broken.code).toBe(1);
  expect(broken.stderr).toMatch(/^broken\.yaml:\d+:\d+: /);
});

test("merges --config-yaml over the file, and names it in problems", async () => {
  const good = await validate("good.yaml", "--config-yaml", "{node: {id: a}}");
  expect(good.stdout).toBe("configuration 'good.yaml' OK\n");
  const bad = await validate("good.yaml", "--config-yaml", "{nod: {id: a}}");
  expect(bad.code).toBe(1);
  expect(bad.stderr).toBe(
    '--config-yaml:1:2: nod: unknown field "nod" in envoy.config.bootstrap.v3.Bootstrap (did you mean "node"?)\n',
  );
  const alone = await headgate("--mode", "validate", "--config-yaml", "{}");
  expect(alone).toEqual({ code: 0, stdout: "configuration '--config-yaml' OK\n", stderr: "" });
});

test("warns instead when told to ignore what is not implemented, save what protects", async () => {
  scratch.write("later.yaml", text({ end: "flags_path: /x" }));
  expect(await validate("later.yaml", "--ignore-unsupported")).toEqual({
    code: 0,
    stdout: "configuration 'later.yaml' OK\n",
    stderr: "warning: later.yaml:23:1: flags_path: not implemented by Headgate\n",
  });
  scratch.write("auth.yaml", withFilters(authFilter));
  const { code, stderr } = await validate("auth.yaml", "--ignore-unsupported");
  expect(code).toBe(1);
  expect(stderr).toContain("and --ignore-unsupported does not cover it");
});

test("ends with 2 when it is used wrongly", async () => {
  const { code, stderr } = await headgate("--mode", "validate");
  expect(code).toBe(2);
  expect(stderr).toContain("expected --config-path (-c) or --config-yaml");
});

const NOBODY = 65_534;

/** Root can be nobody, where nobody may enter the folders that the repository lies in. */
function canBeNobody(): boolean {
  if (process.getuid?.() !== 0) return false;
  return spawnSync("test", ["-x", launcher], { uid: NOBODY, cwd: "/" }).status === 0;
}

// As in a container: the process is nobody, and standard output was opened by root.
test.skipIf(!canBeNobody())("/dev/stdout needs no right to open it again", async () => {
  const log = fileAccessLog("/dev/stdout");
  const file = scratch.write("stdout.yaml", bootstrap({ hcm: { access_log: [log] } }));
  chmodSync(scratch.folder, 0o755);
  const output = openSync(scratch.path("stdout.txt"), "w", 0o600);
  const child = spawn(launcher, ["--mode", "validate", "-c", file], {
    stdio: ["ignore", output, "pipe"],
    uid: NOBODY,
    cwd: "/",
  });
  let errors = "";
  child.stderr?.on("data", (part: Buffer) => {
    errors += part.toString();
  });
  const [code] = await once(child, "close");
  closeSync(output);
  expect({ code, errors }).toEqual({ code: 0, errors: "" });
  const said = readFileSync(scratch.path("stdout.txt"), "utf8");
  expect(said).toContain("OK");
});
