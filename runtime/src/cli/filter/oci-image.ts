// A module as OCI images: the bytes of the blobs, pure. The same module gives the same bytes.
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { tarOf } from "./tar-archive.ts";

export interface Descriptor {
  readonly mediaType: string;
  /** "sha256:" and the blob's name in the layout. */
  readonly digest: string;
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** One form of the module, as an entry of index.json. */
export interface OciImage {
  readonly form: "compat" | "artifact" | "wasm";
  /** The tag's addition: "" for the form that most read. */
  readonly suffix: string;
  readonly manifest: Descriptor;
}

export interface OciImages {
  readonly images: readonly OciImage[];
  /** By digest; blobs that images share are there once. */
  readonly blobs: ReadonlyMap<string, Buffer>;
}

export const MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json";
/** Both the configuration of a module artifact and its first layer. */
const MODULE_CONFIG_TYPE = "application/vnd.module.wasm.config.v1+json";
/** A time of its own would give each image another digest. */
const CREATED = "1970-01-01T00:00:00Z";
const GZIP_OS_BYTE = 9;
const GZIP_OS_UNKNOWN = 255;

/** `abi`: the version of proxy-wasm that the module says it is of. */
export function ociImagesOf(module: Buffer, abi: string): OciImages {
  const blobs = new Map<string, Buffer>();
  const add = (mediaType: string, bytes: Buffer): Descriptor => {
    const digest = digestOf(bytes);
    blobs.set(digest, bytes);
    return { mediaType, digest, size: bytes.length };
  };
  const addJson = (mediaType: string, value: object): Descriptor =>
    add(mediaType, Buffer.from(JSON.stringify(value)));
  const image = (
    form: OciImage["form"],
    suffix: string,
    config: Descriptor,
    layers: readonly Descriptor[],
    annotations?: Readonly<Record<string, string>>,
  ): OciImage => {
    const head = { schemaVersion: 2, mediaType: MANIFEST_TYPE, config, layers };
    const content = annotations === undefined ? head : { ...head, annotations };
    return { form, suffix, manifest: addJson(MANIFEST_TYPE, content) };
  };
  const titled = (layer: Descriptor, title: string): Descriptor => ({
    ...layer,
    annotations: { "org.opencontainers.image.title": title },
  });

  const tar = tarOf([{ name: "plugin.wasm", content: module }]);
  const compatLayer = add("application/vnd.oci.image.layer.v1.tar+gzip", gzipped(tar));
  const compatConfig = addJson("application/vnd.oci.image.config.v1+json", {
    created: CREATED,
    architecture: "wasm",
    os: "wasip1",
    config: {},
    rootfs: { type: "layers", diff_ids: [digestOf(tar)] },
    history: [{ created: CREATED, created_by: "headgate filter pack" }],
  });

  // Its readers insist on two layers, the configuration among them.
  const moduleConfig = addJson(MODULE_CONFIG_TYPE, {
    type: "envoy_proxy",
    abiVersions: [abi],
    config: {},
  });
  const content = add("application/vnd.module.wasm.content.layer.v1+wasm", module);
  const artifactLayers = [
    titled(moduleConfig, "runtime-config.json"),
    titled(content, "plugin.wasm"),
  ];

  const plain = add("application/wasm", module);
  const wasmConfig = addJson("application/vnd.wasm.config.v0+json", {
    created: CREATED,
    author: null,
    architecture: "wasm",
    os: "wasip1",
    layerDigests: [plain.digest],
    component: null,
  });

  const variant = { "module.wasm.image/variant": "compat" };
  const images = [
    image("compat", "", compatConfig, [compatLayer], variant),
    image("artifact", "-artifact", moduleConfig, artifactLayers),
    image("wasm", "-wasm", wasmConfig, [titled(plain, "plugin.wasm")]),
  ];
  return { images, blobs };
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** Without the byte that tells the machine's system. */
function gzipped(bytes: Buffer): Buffer {
  const packed = gzipSync(bytes, { level: 9 });
  packed[GZIP_OS_BYTE] = GZIP_OS_UNKNOWN;
  return packed;
}
