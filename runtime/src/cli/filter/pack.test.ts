// What `headgate filter pack` writes, read back as the readers of each form do.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync, mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { WasmBuilder } from "../../module/wasm-builder-for-test.ts";
import { runCommand } from "./command-for-test.ts";
import { command } from "./pack.ts";

const path = "../../../../conformance/guests/wasm/c-redirect.wasm";
const guest = fileURLToPath(new URL(path, import.meta.url));
const module = readFileSync(guest);

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly annotations?: Record<string, string>;
}

interface Manifest {
  readonly mediaType: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly annotations?: Record<string, string>;
}

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "headgate-pack-"));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
});

function pack(...argv: readonly string[]): Promise<{ code: number; text: string }> {
  return runCommand(command, argv);
}

/** A blob that is what its descriptor says. */
function blob(layout: string, { digest, size }: Descriptor): Buffer {
  const bytes = readFileSync(join(layout, "blobs", digest.replace(":", "/")));
  expect(`sha256:${createHash("sha256").update(bytes).digest("hex")}`).toBe(digest);
  expect(bytes.length).toBe(size);
  return bytes;
}

function json(bytes: Buffer): unknown {
  return JSON.parse(bytes.toString("utf8"));
}

/** Manifests by tag. */
function readLayout(layout: string): ReadonlyMap<string, Manifest> {
  expect(json(readFileSync(join(layout, "oci-layout")))).toEqual({ imageLayoutVersion: "1.0.0" });
  const index = json(readFileSync(join(layout, "index.json"))) as { manifests: Descriptor[] };
  return new Map(
    index.manifests.map((one) => {
      expect(one.mediaType).toBe("application/vnd.oci.image.manifest.v1+json");
      const tag = one.annotations?.["org.opencontainers.image.ref.name"] ?? "none";
      return [tag, json(blob(layout, one)) as Manifest];
    }),
  );
}

test("the compat form: one layer, a tar.gz with plugin.wasm", async () => {
  const layout = join(folder, "image");
  expect(await pack(guest, "--output", layout, "--tag", "1.2.0")).toMatchObject({ code: 0 });
  const manifests = readLayout(layout);
  expect([...manifests.keys()]).toEqual(["1.2.0", "1.2.0-artifact", "1.2.0-wasm"]);
  const { config, layers, annotations } = manifests.get("1.2.0") as Manifest;
  expect(annotations).toEqual({ "module.wasm.image/variant": "compat" });
  expect(layers.map((layer) => layer.mediaType)).toEqual([
    "application/vnd.oci.image.layer.v1.tar+gzip",
  ]);
  expect(config.mediaType).toBe("application/vnd.oci.image.config.v1+json");
  const packed = blob(layout, layers[0] as Descriptor);
  const tar = gunzipSync(packed);
  const diffId = `sha256:${createHash("sha256").update(tar).digest("hex")}`;
  expect(json(blob(layout, config))).toMatchObject({
    architecture: "wasm",
    rootfs: { type: "layers", diff_ids: [diffId] },
  });
  const env = { ...process.env, TZ: "UTC" };
  expect(execFileSync("tar", ["-tvzf", "-"], { input: packed, encoding: "utf8", env })).toMatch(
    new RegExp(`^-rw-r--r-- 0/0 +${module.length} 1970-01-01 00:00 plugin\\.wasm\\n$`),
  );
  expect(execFileSync("tar", ["-xzOf", "-", "plugin.wasm"], { input: packed })).toEqual(module);
});

test("the artifact form: two layers, for its readers want no more and no fewer", async () => {
  const layout = join(folder, "image");
  await pack(guest, "--output", layout);
  const { config, layers } = readLayout(layout).get("latest-artifact") as Manifest;
  expect(config.mediaType).toBe("application/vnd.module.wasm.config.v1+json");
  expect(layers.map((layer) => layer.mediaType)).toEqual([
    "application/vnd.module.wasm.config.v1+json",
    "application/vnd.module.wasm.content.layer.v1+wasm",
  ]);
  const expected = { type: "envoy_proxy", abiVersions: ["0.2.1"], config: {} };
  expect(json(blob(layout, config))).toEqual(expected);
  expect(json(blob(layout, layers[0] as Descriptor))).toEqual(expected);
  expect(blob(layout, layers[1] as Descriptor)).toEqual(module);
});

test("the form of other runtimes", async () => {
  const layout = join(folder, "image");
  await pack(guest, "--output", layout);
  const { config, layers } = readLayout(layout).get("latest-wasm") as Manifest;
  expect(config.mediaType).toBe("application/vnd.wasm.config.v0+json");
  expect(layers).toMatchObject([{ mediaType: "application/wasm" }]);
  const layer = layers[0] as Descriptor;
  expect(blob(layout, layer)).toEqual(module);
  expect(json(blob(layout, config))).toEqual({
    created: "1970-01-01T00:00:00Z",
    author: null,
    architecture: "wasm",
    os: "wasip1",
    layerDigests: [layer.digest],
    component: null,
  });
});

test("the same module gives the same layout, from a file and from a project", async () => {
  const project = join(folder, "auth");
  mkdirSync(join(project, "build"), { recursive: true });
  writeFileSync(join(project, "build", "auth.wasm"), module);
  writeFileSync(join(project, "build", "auth.debug.wasm"), "other");
  const [one, two] = [join(folder, "one"), join(folder, "two")];
  await pack(guest, "--output", one);
  const { text } = await pack(project, "--output", two, "--json");
  const content = (layout: string): object => {
    const names = readdirSync(layout, { recursive: true, withFileTypes: true });
    const files = names.filter((entry) => entry.isFile());
    return files.map((file) => [file.name, readFileSync(join(file.parentPath, file.name), "hex")]);
  };
  expect(content(two)).toEqual(content(one));
  const { images } = JSON.parse(text) as { images: { tag: string; digest: string }[] };
  const index = json(readFileSync(join(one, "index.json"))) as { manifests: Descriptor[] };
  expect(images.map(({ digest }) => digest)).toEqual(index.manifests.map(({ digest }) => digest));
});

test("a layout that is there keeps its other tags", async () => {
  const layout = join(folder, "image");
  await pack(guest, "--output", layout, "--tag", "1");
  await pack(guest, "--output", layout, "--tag", "2");
  await pack(guest, "--output", layout, "--tag", "1");
  const tags = [...readLayout(layout).keys()];
  expect(tags).toEqual(["2", "2-artifact", "2-wasm", "1", "1-artifact", "1-wasm"]);
});

test("refuses what is no filter, and a folder of something else", async () => {
  const bad = join(folder, "bad.wasm");
  writeFileSync(bad, new WasmBuilder().build());
  const out = join(folder, "image");
  const refused = await pack(bad, "--output", out);
  expect(refused).toMatchObject({ code: 1, text: expect.stringContaining("abi version") });
  expect(readdirSync(folder)).toEqual(["bad.wasm"]);
  await expect(command.run([guest, "--output", folder])).rejects.toThrow(
    "expected an empty folder",
  );
  await expect(command.run([guest, "--output", bad])).rejects.toThrow(
    "found a file, expected a folder",
  );
  await expect(command.run([guest])).rejects.toThrow("expected --output");
  await expect(command.run([folder, "--output", out])).rejects.toThrow("found no module, expected");
  await expect(command.run([guest, "--output", out, "--tag", "a b"])).rejects.toThrow(
    'found "a b", expected letters',
  );
  const blocked = await pack(guest, "--output", join(bad, "image"));
  expect(blocked).toMatchObject({ code: 1, text: expect.stringContaining("ENOTDIR") });
});
