// The build of filters: what is compiled anew, what is not, and which mistakes it names.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildFilter } from "./build.mjs";

let parent: string;

beforeAll(() => {
  // Inside the repository: that is where asc finds the SDK.
  const build = join(dirname(fileURLToPath(import.meta.url)), "build");
  mkdirSync(build, { recursive: true });
  parent = mkdtempSync(join(build, "test-"));
});

afterAll(() => rmSync(parent, { recursive: true, force: true }));

const SOURCE = `
import { Action, HttpFilter, registerFilter, RequestHeaders } from "@headgate/sdk-assemblyscript";
export * from "@headgate/sdk-assemblyscript/exports/base";
export { proxy_on_request_headers } from "@headgate/sdk-assemblyscript/exports/http";
class Config {}
class Filter extends HttpFilter<Config> {
  override onRequestHeaders(headers: RequestHeaders, endOfStream: bool): Action {
    headers.set("x-version", "1");
    return Action.Continue;
  }
}
registerFilter<Config>("", (source) => new Config(), () => new Filter());
`;

function writeFilter(name: string, source: string): string {
  const folder = join(parent, name);
  mkdirSync(join(folder, "assembly"), { recursive: true });
  writeFileSync(join(folder, "assembly", "index.ts"), source);
  return folder;
}

test("compiles once per content, and for two callers at once", async () => {
  const folder = writeFilter("content", SOURCE);
  const both = [buildFilter(folder, { mode: "debug" }), buildFilter(folder, { mode: "debug" })];
  const [first, second] = await Promise.all(both);
  expect(first).toMatchObject({
    name: "content",
    mode: "debug",
    isCached: false,
    warnings: [],
    schema: null,
  });
  // It waited for the first one.
  expect(second).toEqual({ ...first, isCached: true });
  expect((await buildFilter(folder, { mode: "debug" })).isCached).toBe(true);
  writeFilter("content", SOURCE.replace('"1"', '"2"'));
  expect((await buildFilter(folder, { mode: "debug" })).isCached).toBe(false);
  rmSync((await buildFilter(folder, { mode: "debug" })).map);
  expect((await buildFilter(folder, { mode: "debug" })).isCached).toBe(false);
});

test.each([
  [
    "a mistake in the source, at its place",
    SOURCE.replace("Action.Continue", '"yes"'),
    /^assembly\/index\.ts\(9,\d+\): error TS2322: [^]*return "yes"/,
  ],
  [
    "a hook that nobody would call",
    SOURCE.replace(/export \{ proxy.*\n/, ""),
    /index\.ts overrides onRequestHeaders, but proxy_on_request_headers is not exported/,
  ],
  [
    "a call whose answer nobody would hear",
    SOURCE.replace(
      "return Action.Continue",
      'return this.call("c").send(this, () => Action.Pause)',
    ),
    /calls proxy_http_call, but proxy_on_http_call_response is not exported/,
  ],
  [
    "a whole body that nobody would collect",
    SOURCE.replace("{ proxy_on_request_headers }", "{ proxy_on_request_body }")
      .replace(
        "onRequestHeaders(headers: RequestHeaders, endOfStream: bool)",
        "onFullRequestBody(headers: Body)",
      )
      .replace('headers.set("x-version", "1");', "")
      .replace("RequestHeaders", "Body"),
    /onFullRequestBody needs the callbacks of \.\.\.\/exports\/bodies/,
  ],
  [
    "functions that no proxy provides",
    SOURCE.replace('"1"', "Math.random().toString()"),
    /^assembly\/index\.ts\(8,30\): error AS109: no proxy provides env\.seed/,
  ],
  [
    "a module without the base",
    "export function f(): void {}",
    /^assembly\/index\.ts\(1,1\): error: there is no filter: decorate its class by @filter/,
  ],
])("names %s", async (name, source, message) => {
  const folder = writeFilter(name.replaceAll(/\W/g, "-"), source);
  await expect(buildFilter(folder, { mode: "debug" })).rejects.toThrow(message);
});
