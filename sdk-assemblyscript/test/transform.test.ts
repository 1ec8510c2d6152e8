// What the transform writes: callbacks that are exported, and classes that are found across files.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  BRIEF_OF_HOOK,
  CALLBACK_OF_HOOK,
  COLLECTING,
  FILE_OF_CALLBACK,
} from "../transform/hooks.mjs";
import { Flag, Kind, Literal } from "../transform/syntax.mjs";
import { compile } from "./compile-for-test.ts";

const IMPORTS = `import {
  Action, Body, HttpFilter, log, NetworkFilter, Plugin, RequestHeaders, ResponseHeaders,
} from "@headgate/sdk-assemblyscript";
`;
const BASE = [
  "_initialize",
  "malloc",
  "memory",
  "proxy_abi_version_0_2_1",
  "proxy_on_configure",
  "proxy_on_context_create",
  "proxy_on_delete",
];

/** Exports beyond those that all modules have. */
async function exportsOf(files: Readonly<Record<string, string>>): Promise<string[]> {
  const { lines, wasm } = await compile(files);
  expect(lines).toEqual([]);
  const names = WebAssembly.Module.exports(new WebAssembly.Module(wasm ?? new Uint8Array()))
    .map(({ name }) => name)
    .sort();
  expect(names).toEqual(expect.arrayContaining(BASE));
  return names.filter((name) => !BASE.includes(name));
}

const inFilter = (members: string): Record<string, string> => ({
  "assembly/index.ts": `${IMPORTS}@filter class F extends HttpFilter { ${members} }`,
});

const ON_REQUEST = "onRequestHeaders(headers: RequestHeaders, endOfStream: bool): Action";

test.each([
  ["nothing", "", []],
  [
    "one hook, which a host may call once a stream",
    `${ON_REQUEST} { return Action.Continue; }`,
    ["headgate_request_headers", "proxy_on_request_headers"],
  ],
  [
    "one hook of responses",
    "onResponseHeaders(headers: ResponseHeaders, endOfStream: bool): Action { return 0; }",
    ["headgate_response_headers", "proxy_on_response_headers"],
  ],
  [
    "one hook, and a filter that wants to know its end",
    `${ON_REQUEST} { return Action.Continue; } onDelete(): void {}`,
    ["proxy_on_request_headers"],
  ],
  [
    "hooks of the stream's end",
    "onDone(): bool { return true; } onLog(): void {}",
    ["proxy_on_done", "proxy_on_log"],
  ],
  [
    "a call, whose answer must be heard",
    `${ON_REQUEST} { return this.call("c").send(this, (self, response) => Action.Continue); }`,
    ["proxy_on_http_call_response", "proxy_on_request_headers"],
  ],
  [
    "a method that is only named like one",
    `${ON_REQUEST} { return this.setTick(1); }
     setTick(n: i32): Action { return n > 1 ? Action.Pause : Action.Continue; }`,
    ["proxy_on_request_headers"],
  ],
  [
    "a whole body",
    '@maxBody("64KiB") onFullRequestBody(body: Body): Action { return Action.Continue; }',
    ["proxy_on_request_body", "proxy_on_request_headers", "proxy_on_request_trailers"],
  ],
])("exports what is needed for %s", async (_name, members, expected) => {
  expect(await exportsOf(inFilter(members))).toEqual(expected);
});

test("exports callbacks of TCP filters and of their plugin", async () => {
  const text = `${IMPORTS}
    @plugin class P extends Plugin { onTick(): void {} }
    @filter("tcp") class F extends NetworkFilter {
      onNewConnection(): Action { return Action.Continue; }
      onDownstreamData(data: Body, endOfStream: bool): Action { return Action.Continue; }
    }`;
  expect(await exportsOf({ "assembly/index.ts": text })).toEqual([
    "proxy_on_downstream_data",
    "proxy_on_new_connection",
    "proxy_on_tick",
  ]);
});

test("finds classes in other files, hooks of bases, and what type parameters stand for", async () => {
  const files = {
    "assembly/base.ts": `${IMPORTS}
      export abstract class Base<T, C> extends HttpFilter<C> {
        extra: T | null = null;
        onResponseHeaders(headers: ResponseHeaders, endOfStream: bool): Action {
          return Action.Continue;
        }
      }`,
    "assembly/parts/config.ts": `
      @config class Inner { a: string = ""; }
      @config class Settings { inner: Inner = new Inner(); list: Inner[] = []; }
      export { Settings as Renamed };`,
    "assembly/parts/index.ts": 'export * from "./config";',
    "assembly/parts/plugin.ts": `${IMPORTS}
      import { Renamed } from "./config";
      @plugin class P extends Plugin<Renamed> {
        onConfigured(config: Renamed): void { this.setTick(1000); }
      }`,
    "assembly/middle.ts": `
      import { Base } from "./base";
      import { Renamed as Config } from "./parts";
      export abstract class Middle<U> extends Base<U, Config> {}`,
    "assembly/index.ts": `
      import { Middle } from "./middle";
      import "./parts/plugin";
      @filter("across") class F extends Middle<string> {}`,
  };
  expect(await exportsOf(files)).toEqual(["proxy_on_response_headers", "proxy_on_tick"]);
  const { schema } = await compile(files);
  expect(schema).toMatchObject({
    title: "across",
    $ref: "#/$defs/Settings",
    $defs: { Settings: { properties: { list: { items: { $ref: "#/$defs/Inner" } } } } },
  });
});

test("leaves modules without decorators as they are", async () => {
  const text = `${IMPORTS}
    import { Configuration, registerFilter } from "@headgate/sdk-assemblyscript";
    export * from "@headgate/sdk-assemblyscript/exports/base";
    export { proxy_on_tick } from "@headgate/sdk-assemblyscript/exports/plugin";
    class Config {}
    class F extends HttpFilter<Config> {}
    registerFilter<Config>("", (source: Configuration) => new Config(), () => new F());`;
  expect(await exportsOf({ "assembly/index.ts": text })).toEqual(["proxy_on_tick"]);
});

test("knows the callback that calls each hook, and its file", () => {
  const folder = join(import.meta.dirname, "..", "assembly", "exports");
  const found: Record<string, Record<string, string>> = {};
  for (const name of readdirSync(folder)) {
    const file = name.replace(".ts", "");
    const text = readFileSync(join(folder, name), "utf8");
    const functions = text.split("export function ").slice(1);
    for (const body of functions) {
      const [callback = ""] = /^\w+/.exec(body) ?? [];
      for (const [, hook = ""] of body.matchAll(/\b(?:filter|plugin|context)\.(on\w+)\(/g)) {
        (found[file] ??= {})[hook] = callback;
      }
    }
  }
  const { bodies, brief, ...rest } = found;
  expect(brief).toEqual(BRIEF_OF_HOOK);
  expect(Object.keys(rest).sort()).toEqual(["http", "network", "plugin"]);
  const callbacks = Object.assign({}, ...Object.values(rest)) as Record<string, string>;
  const { onFullRequestBody, onFullResponseBody, ...own } = CALLBACK_OF_HOOK;
  expect(own).toEqual(callbacks);
  expect([onFullRequestBody, onFullResponseBody]).toEqual([
    "proxy_on_request_body",
    "proxy_on_response_body",
  ]);
  const collecting = readFileSync(join(folder, "bodies.ts"), "utf8");
  for (const callback of Object.values(COLLECTING).flat()) {
    expect(collecting).toContain(`export function ${callback}(`);
  }
  expect(bodies).toBeDefined();
  for (const [file, hooks] of Object.entries(rest)) {
    for (const callback of Object.values(hooks)) expect(FILE_OF_CALLBACK[callback]).toBe(file);
  }
});

test("has asc's own numbers for nodes, literals and flags", () => {
  const url = import.meta.resolve("assemblyscript/package.json");
  const types = new URL("dist/assemblyscript.generated.d.ts", url);
  const text = readFileSync(types, "utf8");
  const numbersOf = (name: string): Record<string, number> => {
    const [, body = ""] = new RegExp(`enum ${name} \\{([^}]*)\\}`).exec(text) ?? [];
    const entries = Array.from(body.matchAll(/(\w+) = (-?\d+)/g), ([, key, value]) => [
      key,
      Number(value),
    ]);
    return Object.fromEntries(entries) as Record<string, number>;
  };
  expect(numbersOf("NodeKind")).toMatchObject(Kind);
  expect(numbersOf("LiteralKind")).toMatchObject(Literal);
  expect(numbersOf("CommonFlags")).toMatchObject(Flag);
});
