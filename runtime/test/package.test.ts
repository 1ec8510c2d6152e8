// The package that `npm run build` makes: packed, installed without a network outside the repository, and
// run there. The bundle is its own worker.
import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildFilter } from "../../filters/build.mjs";
import { bundle } from "../bundle.mjs";
import { HeadgateProcess, Scratch } from "./headgate-process.ts";
import { root } from "./launcher.ts";
import { HttpUpstream } from "./upstreams.ts";

const quickstart = join(root, "examples/quickstart");
/** npm and the installed launcher run on the Node.js that runs this test. */
const environment = {
  ...process.env,
  PATH: `${dirname(process.execPath)}${delimiter}${process.env["PATH"] ?? ""}`,
};

function npm(cwd: string, ...args: string[]): string {
  return execFileSync("npm", args, {
    cwd,
    env: environment,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
}

describe("the packed bundle in an empty folder", () => {
  let scratch: Scratch;
  let folder: string;
  let headgate: string;
  const upstream = new HttpUpstream((request, response) => {
    response.end(`you asked for ${request.url}`);
  });

  beforeAll(async () => {
    scratch = new Scratch();
    const dist = scratch.path("dist");
    await bundle(dist);
    npm(scratch.folder, "pack", "./dist", "--silent");
    const tarball = readdirSync(scratch.folder).find((name) => name.endsWith(".tgz")) as string;
    folder = scratch.path("elsewhere");
    mkdirSync(folder);
    const offline = ["--offline", "--omit=optional", "--no-audit", "--no-fund"];
    npm(folder, "install", ...offline, `../${tarball}`);
    headgate = join(folder, "node_modules/.bin/headgate");
    await buildFilter(quickstart);
    mkdirSync(join(folder, "examples/quickstart/build"), { recursive: true });
    copyFileSync(
      join(quickstart, "build/hello.wasm"),
      join(folder, "examples/quickstart/build/hello.wasm"),
    );
    await upstream.listen();
  });

  afterAll(() => {
    upstream.close();
    scratch?.remove();
  });

  function run(...args: string[]): { code: number | null; text: string } {
    const done = spawnSync(headgate, args, { cwd: folder, env: environment, encoding: "utf8" });
    return { code: done.status, text: done.stdout + done.stderr };
  }

  /** The quickstart's configuration with ports that are free. */
  function quickstartConfig(): string {
    return readFileSync(join(quickstart, "envoy.yaml"), "utf8")
      .replace("port_value: 9901", "port_value: 0")
      .replace("port_value: 10001", `port_value: ${upstream.port}`)
      .replace("port_value: 10000", "port_value: 0");
  }

  test("holds what it needs and nothing of the sources", () => {
    const package_ = join(folder, "node_modules/@headgate/runtime");
    expect(readdirSync(package_).toSorted()).toEqual([
      "LICENSE",
      "NOTICE",
      "README.md",
      "bin",
      "envoy-api.binpb",
      "filters",
      "headgate.mjs",
      "package.json",
      "templates",
      "testing",
      "types",
      "worker.mjs",
    ]);
    // Modules that are loaded late keep their constants in variables (bundle-constants.mjs).
    expect(readFileSync(join(package_, "worker.mjs"), "latin1")).not.toContain("__esm(");
    const manifest = JSON.parse(readFileSync(join(package_, "package.json"), "utf8")) as object;
    expect(manifest).not.toHaveProperty("dependencies");
    expect(manifest).not.toHaveProperty("private");
    expect(readdirSync(join(folder, "node_modules")).toSorted()).toEqual([
      ".bin",
      ".package-lock.json",
      "@headgate",
    ]);
    expect(existsSync(join(package_, "bin/headgate"))).toBe(true);
    for (const name of ["basic_auth", "cors", "header_mutation"]) {
      const own = readdirSync(join(package_, "filters", name)).toSorted();
      expect([name, ...own]).toEqual([name, "build", "filter.json"]);
    }
  });

  test("runs Envoy's filters that come along", () => {
    const cors = "type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors";
    const filter = `- name: cors\n            typed_config: { "@type": ${cors} }\n          `;
    const [head = "", ...rest] = quickstartConfig().split("http_filters:\n          ");
    expect(rest).toHaveLength(1);
    const text = `${head}http_filters:\n          ${filter}${rest.join("")}`;
    const file = scratch.write("cors.yaml", text);
    expect(run("-c", file, "--mode", "validate").text).toContain(`configuration '${file}' OK\n`);
  });

  test("makes a filter's project, linked to the sources that it is told", () => {
    const { code, text } = run("filter", "new", "own", "--template", "tcp");
    expect({ code, text }).toMatchObject({ code: 2 });
    expect(text).toContain("not published yet: expected --packages with");
    expect(run("filter", "new", "own", "--template", "tcp", "--repository", root).code).toBe(0);
    expect(readdirSync(join(folder, "own")).toSorted()).toEqual([
      ".github",
      ".gitignore",
      ".npmrc",
      ".oxlintrc.json",
      "README.md",
      "asconfig.json",
      "assembly",
      "envoy.yaml",
      "package.json",
      "test",
      "tsconfig.json",
      "vitest.config.mjs",
    ]);
  });

  test("names its version", () => {
    const { version } = JSON.parse(readFileSync(join(root, "runtime/package.json"), "utf8")) as {
      version: string;
    };
    const { code, text } = run("--version");
    expect(text).toBe(`headgate ${version} (node ${process.versions.node})\n`);
    expect(code).toBe(0);
  });

  test("validates, and names mistakes with their place", () => {
    const good = scratch.write("good.yaml", quickstartConfig());
    const validated = run("-c", good, "--mode", "validate");
    expect(validated.text).toContain(`configuration '${good}' OK\n`);
    expect(validated.code).toBe(0);
    const text = quickstartConfig().replace("connect_timeout", "connect_timeot");
    const bad = scratch.write("bad.yaml", text);
    const { code, text: said } = run("-c", bad, "--mode", "validate");
    expect(code).toBe(1);
    expect(said).toMatch(/bad\.yaml:\d+:\d+: .*connect_timeot.*did you mean "connect_timeout"/);
  });

  test("says what files in memory need, which it does not have", () => {
    const config = scratch.write("files.yaml", quickstartConfig());
    const policy = scratch.write("policy.yaml", "default: {files: on}\n");
    const { code, text } = run("-c", config, "--wasm-policy", policy, "--mode", "validate");
    expect(code).toBe(1);
    expect(text).toContain("files in memory, but the package @wasmer/wasi is not installed");
  });

  test("serves the quickstart with its wasm filter in two workers", async () => {
    const options = { command: [headgate], cwd: folder, env: environment, concurrency: 2 };
    const server = await HeadgateProcess.start(scratch, quickstartConfig(), options);
    try {
      const target = await server.listener();
      const workers = /worker_([01])\.downstream_cx_total: [1-9]/g;
      await server.waitFor(async () => {
        const headers = { connection: "close" };
        const response = await fetch(`http://${target}/some/path`, { headers });
        expect(response.headers.get("x-hello")).toBe("hello from WebAssembly");
        expect(await response.text()).toBe("you asked for /some/path");
        return [...(await server.admin("/stats")).matchAll(workers)].length === 2;
      }, "a request to each worker");
      // prom-client is loaded when it is asked for, from the one file too.
      expect(await server.admin("/stats/prometheus")).toContain("headgate_process_");
      server.kill("SIGTERM");
      expect(await server.exited).toEqual({ code: 0, signal: null });
    } finally {
      await server.end();
    }
  });
});
