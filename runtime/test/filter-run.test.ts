// `headgate filter run` as an author uses it: a real process, saves, errors, and Ctrl-C.
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "./launcher.ts";
import { KeptConnection, isRefused } from "./http-clients.ts";
import { useProcesses } from "./process-rig.ts";

const processes = useProcesses();

function source(line: string): string {
  return `import { Action, HttpFilter, RequestHeaders } from "@headgate/sdk-assemblyscript";

@filter
class Marker extends HttpFilter {
  override onRequestHeaders(headers: RequestHeaders, endOfStream: bool): Action {
    ${line}
    return Action.Continue;
  }
}
`;
}

/** A project in the test's folder; answers with its own. */
function project(): string {
  const { scratch } = processes;
  mkdirSync(scratch.path("marker/assembly"), { recursive: true });
  symlinkSync(join(root, "node_modules"), scratch.path("marker/node_modules"));
  scratch.write("marker/package.json", { name: "marker", private: true });
  const extend = "./node_modules/@headgate/sdk-assemblyscript/asconfig.json";
  scratch.write("marker/asconfig.json", {
    extends: extend,
    entries: ["assembly/index.ts"],
    targets: {
      release: { outFile: "build/marker.wasm" },
      debug: { outFile: "build/marker.debug.wasm" },
    },
  });
  return scratch.path("marker");
}

interface Echoed {
  readonly method: string;
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body: string;
}

async function echoed(client: KeptConnection, path: string): Promise<Echoed> {
  return JSON.parse((await client.ask(path)).body.replace(/^[0-9a-f]+\r\n|\r\n0\r\n\r\n$/g, ""));
}

test("swaps with each save on kept connections, outlives errors, ends by Ctrl-C", async () => {
  const { scratch } = processes;
  const folder = project();
  scratch.write("marker/assembly/index.ts", source('headers.set("x-mark", "one");'));
  const run = processes.launch("filter", "run", folder, "--port", "0", "--trace");
  await run.says(/marker serves on http:\/\/127\.0\.0\.1:\d+/);
  const target = /serves on http:\/\/(\S+);/.exec(run.output)?.[1] as string;
  const client = await KeptConnection.open(target);
  const first = await echoed(client, "/a?b");
  expect(first).toMatchObject({
    method: "GET",
    path: "/a?b",
    headers: { "x-mark": "one" },
    body: "",
  });
  await run.says(/wasm trace marker \d+: {3}proxy_replace_header_map_value\(.*"x-mark", .*"one"/);
  await run.says(/GET \/a\?b 200 \d+ ms/);

  scratch.write("marker/assembly/index.ts", source('headers.set("x-mark", "two");'));
  await run.waitFor(async () => (await echoed(client, "/")).headers["x-mark"] === "two", "a swap");
  await run.says(/module swapped \d+ ms after the save: version [0-9a-f]{12}/);

  scratch.write("marker/assembly/index.ts", source("headers.set(1, 2, 3);"));
  await run.says("it does not compile: the version before serves on");
  expect(run.output).toMatch(/assembly\/index\.ts\(6,5\): error TS2554: [^]*6 │ +headers\.set\(1/);
  expect((await echoed(client, "/")).headers["x-mark"]).toBe("two");

  scratch.write("marker/assembly/index.ts", source('headers.set("x-mark", "three");'));
  await run.waitFor(
    async () => (await echoed(client, "/")).headers["x-mark"] === "three",
    "a swap",
  );
  expect(client.isClosed).toBe(false);
  client.destroy();

  const temporary = /-c (\S+)\/envoy\.json/.exec(commandLines(run.pid).join("\n"))?.[1] as string;
  expect(temporary.startsWith(join(tmpdir(), "headgate-run-"))).toBe(true);
  run.kill("SIGINT");
  expect(await run.exited).toEqual({ code: 0, signal: null });
  expect(await isRefused(target)).toBe(true);
  expect(existsSync(temporary)).toBe(false);
  expect(readdirSync(join(folder, "build")).filter((name) => name.startsWith("."))).toEqual([]);
});

const CONFIGURED = `import { Action, HttpFilter, RequestHeaders } from "@headgate/sdk-assemblyscript";

@config
class Config {
  @required mark: string;
}

@filter
class Marker extends HttpFilter<Config> {
  override onRequestHeaders(headers: RequestHeaders, endOfStream: bool): Action {
    headers.set("x-mark", PREFIX + this.config.mark);
    return Action.Continue;
  }
}
`;

const DIRECT = "direct_response: {status: 418}";

/** As the templates', with a second cluster; \`mark\` is what the filter is told. */
function envoyYaml(mark: string): string {
  const template = join(root, "sdk-assemblyscript/templates/callout/envoy.yaml");
  return readFileSync(template, "utf8")
    .replaceAll("my-filter", "marker")
    .replace(/cluster: auth\n +timeoutMs: 500ms/, mark)
    .replace("port_value: 10000", "port_value: 0");
}

test("serves the project's envoy.yaml, and sends what was saved together once", async () => {
  const { scratch } = processes;
  const folder = project();
  const files = (prefix: string, mark: string): void => {
    scratch.write("marker/assembly/index.ts", CONFIGURED.replace("PREFIX", `"${prefix}"`));
    scratch.write("marker/envoy.yaml", envoyYaml(mark));
  };
  files("a", "mark: one");
  const run = processes.launch("filter", "run", folder);
  await run.says(/cluster upstream: an echo\n.*cluster auth: as envoy\.yaml says\n/);
  await run.says(/marker serves on http:\/\/127\.0\.0\.1:\d+/);
  const target = /serves on http:\/\/(\S+);/.exec(run.output)?.[1] as string;
  const client = await KeptConnection.open(target);
  expect((await echoed(client, "/a")).headers["x-mark"]).toBe("aone");
  await run.says(/GET \/a 200 \d+ ms/);

  files("b", "mark: two");
  await run.says(/module and configuration swapped \d+ ms after the save/);
  expect((await echoed(client, "/b")).headers["x-mark"]).toBe("btwo");
  scratch.write("marker/assembly/index.ts", CONFIGURED.replace("PREFIX", '"c"'));
  await run.says(/module swapped \d+ ms after the save/);
  expect((await echoed(client, "/c")).headers["x-mark"]).toBe("ctwo");
  scratch.write("marker/envoy.yaml", envoyYaml("mark: two").replace("{prefix:", "{prefi:"));
  await run.says("the configuration before serves on");
  expect(run.output).toMatch(/marker\/envoy\.yaml:24:25: .*unknown field "prefi"/);
  expect((await echoed(client, "/d")).headers["x-mark"]).toBe("ctwo");
  scratch.write("marker/envoy.yaml", envoyYaml("mark: [two]"));
  const before = "refused, the version before serves on:";
  await run.says(new RegExp(`${before}\\n.*marker/envoy\\.yaml:36:27: static_resources.*/mark: `));
  const regex = '{safe_regex: {regex: "(a"}}';
  scratch.write("marker/envoy.yaml", envoyYaml("mark: two").replace('{prefix: "/"}', regex));
  await run.says("refused, the configuration before serves on");
  expect(run.output).toMatch(/marker\/envoy\.yaml:24:45: static_resources.*missing closing \)/);
  expect(run.output).not.toContain("headgate-run-");
  expect(client.isClosed).toBe(false);
  expect(run.output.match(/after the save/g)).toHaveLength(2);
  client.destroy();
  const other = envoyYaml("mark: two").replace("route: {cluster: upstream}", DIRECT);
  scratch.write("marker/envoy.yaml", other);
  await run.says(/envoy\.yaml read again \d+ ms after the save/);
  expect((await fetch(`http://${target}/`)).status).toBe(418);
  run.kill("SIGINT");
  expect(await run.exited).toEqual({ code: 0, signal: null });
});

/** Of a process' children. */
function commandLines(parent: number): readonly string[] {
  const pids = readFileSync(`/proc/${parent}/task/${parent}/children`, "utf8").trim().split(" ");
  return pids.map((pid) => readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " "));
}

test("a filter that does not compile at first is served when it does", async () => {
  const { scratch } = processes;
  const folder = project();
  scratch.write("marker/assembly/index.ts", source("nonsense();"));
  const run = processes.launch("filter", "run", folder, "--port", "0");
  await run.says("Cannot find name 'nonsense'");
  scratch.write("marker/assembly/index.ts", source('headers.set("x-mark", "one");'));
  await run.says(/marker serves on http/);
  const target = /serves on http:\/\/(\S+);/.exec(run.output)?.[1] as string;
  // Nothing of it is left, even if it cannot say good-bye.
  run.kill("SIGKILL");
  await run.exited;
  let isGone = false;
  while (!isGone) isGone = await isRefused(target);
  expect(isGone).toBe(true);
});

test("wrong use, a port that is taken, and an upstream that is told its own name", async () => {
  const { scratch } = processes;
  const folder = project();
  scratch.write("marker/assembly/index.ts", source('headers.set("x-mark", "one");'));
  const bad = await processes.run("filter", "run", folder, "--upstream", "ftp://x");
  expect(bad.output).toContain("--upstream: found ftp://x, expected http://HOST:PORT");
  expect((await bad.exited).code).toBe(2);
  expect(bad.output).toContain("Try headgate filter run --help");
  scratch.write("marker/envoy.yaml", envoyYaml("cluster: auth"));
  const unknown = await processes.run("filter", "run", folder, "--upstream", "nope=echo");
  expect(unknown.output).toContain("--upstream nope=: expected a cluster, one of upstream, auth");
  expect((await unknown.exited).code).toBe(2);
  rmSync(scratch.path("marker/envoy.yaml"));
  const none = await processes.run("filter", "run", scratch.folder);
  expect(none.output).toContain("found no assembly/index.ts");
  const upstream = createServer((request, response) => response.end(request.headers.host));
  await once(upstream.listen(0, "127.0.0.1"), "listening");
  const name = `127.0.0.1:${(upstream.address() as AddressInfo).port}`;
  const to = ["--upstream", `http://${name}`];
  const run = processes.launch("filter", "run", folder, "--port", "0", ...to);
  await run.says(/serves on http/);
  const port = /serves on http:\/\/127\.0\.0\.1:(\d+);/.exec(run.output)?.[1] as string;
  expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe(name);
  upstream.close();
  const second = await processes.run("filter", "run", folder, "--port", port);
  expect((await second.exited).code).toBe(1);
  expect(second.output).toContain(`port ${port} is in use`);
  run.kill("SIGINT");
  expect((await run.exited).code).toBe(0);
});
