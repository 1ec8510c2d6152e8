// What each filter's folder holds, and that its schema is fresh and says what its configuration may be.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { renderSchemas } from "../runtime/tools/filter-schemas/generate.ts";
import { isValid, type Schema } from "../sdk-assemblyscript/test/json-schema-for-test.ts";

const here = import.meta.dirname;
const folders = readdirSync(here).filter((name) => existsSync(join(here, name, "filter.json")));
const schemas = new Map(renderSchemas().map((file) => [basename(dirname(file.path)), file.text]));

const read = (folder: string, file: string): string =>
  readFileSync(join(here, folder, file), "utf8");

describe.each(folders)("%s", (folder) => {
  const behaviour = folder.replaceAll("_", "-");
  const parts = ["index", "config", behaviour].map((name) => `assembly/${name}.ts`);
  const files = ["README.md", "filter.json", "config.schema.json", `${behaviour}.test.ts`];

  test("has the files that every filter has", () => {
    expect([...files, ...parts].filter((file) => !existsSync(join(here, folder, file)))).toEqual(
      [],
    );
  });

  test("says in filter.json what it is", () => {
    expect(JSON.parse(read(folder, "filter.json"))).toMatchObject({
      name: `envoy.filters.http.${folder}`,
      abi: "0.2.1",
      status: expect.stringMatching(/^(stable|beta|alpha)$/),
      securityPosture: expect.stringMatching(/^(robust_to_untrusted_downstream|unknown)$/),
      contexts: ["http"],
    });
  });

  test("names schema and counterpart in its README", () => {
    const page = read(folder, "README.md");
    expect(page).toContain("config.schema.json");
    expect(page).toContain("**Differences from Envoy**");
    expect(page).toMatch(/```yaml\n/);
  });

  test("has the schema that npx node runtime/tools/filter-schemas/generate.ts writes", () => {
    expect(read(folder, "config.schema.json")).toBe(schemas.get(folder));
  });
});

const users = { inline_string: "a:{SHA}" };
const prefix = { prefix: "https://" };
const append = { header: { key: "x-a", value: "1" } };

test.each([
  ["cors", true, {}, [{ allow_origin_string_match: [prefix], max_age: "600" }, {}]],
  ["cors", false, {}, [{ allow_origin_string_match: [{ ...prefix, exact: "a" }] }]],
  ["cors", false, {}, [{ allow_origin_string_match: [{ custom: {} }] }]],
  ["cors", false, {}, [{ allow_origin_string_match: [{ safe_regex: {} }] }]],
  ["cors", true, {}, [{ filter_enabled: { default_value: { denominator: "MILLION" } } }]],
  ["cors", false, {}, [{ filter_enabled: {} }]],
  ["cors", false, { allow_methods: "GET" }, []],
  ["basic_auth", true, { users, allow_missing: true }, []],
  ["basic_auth", true, { users }, [{ users }]],
  ["basic_auth", false, { users: { filename: "users" } }, []],
  ["basic_auth", false, { users }, [{ users }, { users }]],
  ["header_mutation", true, { mutations: { request_mutations: [{ append }] } }, []],
  ["header_mutation", false, { mutations: { request_mutations: [{ append, remove: "a" }] } }, []],
  ["header_mutation", false, { mutations: { request_mutations: [{ append: {} }] } }, []],
  ["header_mutation", false, { mutations: { formatters: [] } }, []],
])("%s: it is %s that the schema takes %j with %j", (folder, isRight, filter, levels) => {
  const schema = JSON.parse(schemas.get(folder) ?? "") as Schema;
  expect(isValid(schema, { filter, levels })).toBe(isRight);
});
