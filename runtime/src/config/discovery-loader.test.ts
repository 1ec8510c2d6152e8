import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromJson, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ConfigErrors } from "./config-error.ts";
import { loadDiscovery } from "./discovery-loader.ts";
import type { DiscoveryInput, LoadedDiscovery } from "./discovery-loader.ts";
import { Schema } from "./schema.ts";

const CLUSTER = "envoy.config.cluster.v3.Cluster";
const RESPONSE = "envoy.service.discovery.v3.DiscoveryResponse";
const schema = Schema.open();
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "headgate-discovery-"));
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

function write(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

function load(path: string, more: Partial<DiscoveryInput> = {}): Promise<LoadedDiscovery> {
  return loadDiscovery({ path, schema, prefix: "cds", typeName: CLUSTER, ...more });
}

/** What is wrong, without the folder. */
async function problemsOf(load: Promise<LoadedDiscovery>): Promise<string> {
  const error = await load.then(
    (loaded) => loaded.errors,
    (caught: unknown) => caught,
  );
  expect(error).toBeInstanceOf(ConfigErrors);
  return (error as ConfigErrors).message.replaceAll(`${folder}/`, "");
}

const cluster = { "@type": `type.googleapis.com/${CLUSTER}`, name: "a", type: "STATIC" };

test("reads YAML and JSON with the response's other fields", async () => {
  const yaml = `
version_info: "7"
type_url: type.googleapis.com/${CLUSTER}
nonce: x
resources:
- "@type": type.googleapis.com/${CLUSTER}
  name: a
  connect_timeout: 2s
`;
  const loaded = await load(write("a.yaml", yaml));
  expect(loaded.versionInfo).toBe("7");
  expect(loaded.errors).toBeNull();
  expect(loaded.resources.map((node) => node.string("name"))).toEqual(["a"]);
  expect(loaded.resources[0]?.where("connect_timeout")).toBe(
    `${folder}/a.yaml:8:3: cds.resources[0].connect_timeout`,
  );
  const json = JSON.stringify({ resources: [cluster] });
  const other = await load(write("a.json", json));
  expect([other.versionInfo, other.resources.length]).toEqual(["", 1]);
});

test("takes a resource out of its wrapper", async () => {
  const wrapper = "type.googleapis.com/envoy.service.discovery.v3.Resource";
  const resources = [{ "@type": wrapper, name: "a", version: "3", resource: cluster }];
  const loaded = await load(write("wrapped.yaml", JSON.stringify({ resources })));
  expect(loaded.errors).toBeNull();
  expect(loaded.resources[0]?.string("name")).toBe("a");
});

test("reads a binary response, and says what is wrong with it by its name", async () => {
  const description = schema.requireMessage(RESPONSE);
  const encode = (resource: object): Uint8Array => {
    const json = { version_info: "9", resources: [resource] } as never;
    return toBinary(description, fromJson(description, json, { registry: schema.registry }), {
      writeUnknownFields: false,
    });
  };
  const good = encode({ ...cluster, connectTimeout: "3s" });
  const loaded = await load(write("a.pb", good));
  expect(loaded.versionInfo).toBe("9");
  expect(loaded.resources[0]?.durationMs("connect_timeout")).toBe(3000);
  expect(await problemsOf(load(write("bad.pb", encode({ ...cluster, name: "" }))))).toMatch(
    /^bad\.pb: cds\.resources\[0\]\.name: /,
  );
  expect(await problemsOf(load(write("half.pb", good.subarray(0, 30))))).toMatch(
    /^half\.pb: found no DiscoveryResponse: /,
  );
});

test.each([
  ["", "found an empty document, expected a DiscoveryResponse"],
  ["resources: [ {", "not valid YAML"],
  ["[]", "expected a map"],
  ["resources: [{name: a}]", 'x.yaml:1:13: cds.resources[0]: found no "@type"'],
  ["nonsense: 1", ""],
])("a text that is no response: %j", async (text, expected) => {
  const loading = load(write("x.yaml", text), { rejectUnknownFields: true });
  expect(await problemsOf(loading)).toContain(expected);
});

test("broken rules and other types are told with their place; the rest can be read", async () => {
  const listener = { "@type": "type.googleapis.com/envoy.config.listener.v3.Listener" };
  const resources = [cluster, { ...cluster, connect_timeout: "0s" }, listener];
  const loading = load(write("rules.yaml", JSON.stringify({ resources }, null, 1)));
  const text = await problemsOf(loading);
  expect(text).toMatch(/^rules\.yaml:\d+:\d+: cds\.resources\[1\]\.connect_timeout: /m);
  expect(text).toContain(
    `cds.resources[2]: found envoy.config.listener.v3.Listener, expected ${CLUSTER}`,
  );
  expect((await loading).resources).toHaveLength(2);
});

test("unknown fields are warnings, or errors when asked for", async () => {
  const path = write("unknown.yaml", JSON.stringify({ resources: [{ ...cluster, nonsense: 1 }] }));
  const loaded = await load(path);
  expect(loaded.errors).toBeNull();
  expect(loaded.unknownFieldCount).toBe(1);
  expect(loaded.warnings[0]?.path).toBe("cds.resources[0].nonsense");
  expect(await problemsOf(load(path, { rejectUnknownFields: true }))).toContain("nonsense");
});

test("files that cannot be read are named", async () => {
  expect(await problemsOf(load(join(folder, "gone.yaml")))).toMatch(/^gone\.yaml: unable to read/);
  expect(await problemsOf(load(write("a.pb_text", "")))).toContain("expected YAML, JSON or .pb");
  expect(await problemsOf(load(write("bytes.yaml", Buffer.from([0xff, 0xfe]))))).toContain("UTF-8");
});

test("a file beyond all measure is not read", async () => {
  const path = write("huge.yaml", "resources: []\n");
  truncateSync(path, 256 * 1024 * 1024 + 1);
  expect(await problemsOf(load(path))).toBe("huge.yaml: found more than 268435456 bytes");
});

test("fields that nobody reads are named with their place", async () => {
  const loaded = await load(write("unread.yaml", JSON.stringify({ resources: [cluster] })));
  loaded.resources[0]?.string("name");
  expect(loaded.unreadFields().map(({ path }) => path)).toEqual(["cds.resources[0].type"]);
});
