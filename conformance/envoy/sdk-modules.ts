// Filters written with the SDK as filters of cases: its test guests, templates, examples. Each is built by
// the cache that its own tests fill, and has its place in a configuration by `$MODULE:NAME`.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { compileFilter } from "../../runtime/testing/compile.ts";
import { buildFilter } from "../../sdk-assemblyscript/build.mjs";
import { type Case, type JsonObject, type Modules, one, type Reply } from "./case.ts";
import { type PluginOptions, pluginConfig } from "./field-guest.ts";
import { REPOSITORY } from "./target.ts";

const GUESTS = join(REPOSITORY, "sdk-assemblyscript", "test", "guests");
const TEMPLATES = join(REPOSITORY, "sdk-assemblyscript", "templates");
const EXAMPLES = join(REPOSITORY, "examples");
const ENTRY = join("assembly", "index.ts");
/** Guests that their own tests compile with the optimiser. */
const RELEASED: ReadonlySet<string> = new Set(["auth", "header", "kit", "plain"]);

function modulesIn(
  parent: string,
  nameOf: (folder: string) => string,
  build: (folder: string) => Promise<string>,
): Modules {
  const folders = readdirSync(parent).filter((name) => existsSync(join(parent, name, ENTRY)));
  const entries = folders.map((name) => [nameOf(name), () => build(name)] as const);
  return Object.fromEntries(entries);
}

async function builtGuest(name: string): Promise<string> {
  const mode = RELEASED.has(name) ? "release" : "debug";
  return (await buildFilter(join(GUESTS, name), { mode })).wasm;
}

async function compiled(folder: string): Promise<string> {
  return (await compileFilter(join(folder, ENTRY))).wasm;
}

/** All guests of the SDK's tests, by their names. */
export const SDK_GUESTS: Modules = modulesIn(GUESTS, (name) => name, builtGuest);

/** Templates as `template-NAME`, examples as `example-NAME`. */
export const SDK_FILTERS: Modules = {
  ...modulesIn(
    TEMPLATES,
    (name) => `template-${name}`,
    (name) => compiled(join(TEMPLATES, name)),
  ),
  ...modulesIn(
    EXAMPLES,
    (name) => `example-${name}`,
    (name) => compiled(join(EXAMPLES, name)),
  ),
};

/** A PluginConfig of one of them. */
export function sdkPlugin(name: string, options: PluginOptions = {}): JsonObject {
  return pluginConfig(name, `$MODULE:${name}`, options);
}

/** Site, what it shows, the bytes of one connection; then the upstreams' answers. */
export type SdkRow = readonly [
  site: string,
  title: string,
  sent: string,
  replies?: readonly Reply[],
  more?: Partial<Case>,
];

/** A case by its row; the id is made of site and title. */
export function sdkCase([site, title, sent, replies = [], more = {}]: SdkRow): Case {
  const id = `sdk ${site} ${title}`.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
  return { id, title: `${site}: ${title}`, connections: one(sent, site), replies, ...more };
}
