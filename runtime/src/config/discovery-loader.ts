// From a file that holds a DiscoveryResponse to its resources, or what is wrong with it. Called for
// xDS from files; main thread only.
import { readFileSync, statSync } from "node:fs";
import { fromBinary, toJson } from "@bufbuild/protobuf";
import type { JsonValue as PbJson } from "@bufbuild/protobuf";
import { ConfigErrors, type ConfigProblem } from "./config-error.ts";
import { ConfigNode, unreadFields } from "./config-node.ts";
import { FieldRules } from "./field-rules.ts";
import { MessageValue } from "./message-value.ts";
import { PositionIndex } from "./position-index.ts";
import { FieldPath, ProblemList } from "./problem-list.ts";
import type { Schema } from "./schema.ts";
import { Place, SourceText } from "./source-text.ts";
import { YamlWalker } from "./yaml-walker.ts";
import type { TextPosition } from "./yaml-document.ts";
import type { RawValue } from "./yaml-scalars.ts";

const responseName = "envoy.service.discovery.v3.DiscoveryResponse";
const resourceName = "envoy.service.discovery.v3.Resource";
/** Nothing that a file of ours should reach; a larger one is refused before it is read. */
const bytesMax = 256 * 1024 * 1024;

export interface DiscoveryInput {
  readonly path: string;
  readonly schema: Schema;
  /** Begins every path of a field: "lds" makes `lds.resources[0]`. */
  readonly prefix: string;
  /** Full name of the message that each resource is. */
  readonly typeName: string;
  /** Unknown fields are errors: default false, then they are warnings. */
  readonly rejectUnknownFields?: boolean;
}

/** A response whose text could be read. */
export class LoadedDiscovery {
  readonly versionInfo: string;
  /** Of the right type; wrong ones are in `errors`. */
  readonly resources: readonly ConfigNode[];
  /** Broken rules and wrong types; null when there are none. */
  readonly errors: ConfigErrors | null;
  readonly warnings: readonly ConfigProblem[];
  readonly unknownFieldCount: number;
  readonly positions: PositionIndex;
  /** The bytes that it was made from. */
  readonly bytes: Uint8Array;
  readonly #root: MessageValue;
  readonly #prefix: string;

  constructor(
    root: MessageValue,
    prefix: string,
    resources: readonly ConfigNode[],
    problems: ProblemList,
    unknownFieldCount: number,
    bytes: Uint8Array,
  ) {
    const version = root.fields.get("version_info")?.value;
    this.versionInfo = typeof version === "string" ? version : "";
    this.resources = resources;
    this.errors = problems.errors();
    this.warnings = problems.warnings();
    this.unknownFieldCount = unknownFieldCount;
    this.positions = new PositionIndex(root);
    this.bytes = bytes;
    this.#root = root;
    this.#prefix = prefix;
  }

  /** As LoadedBootstrap.unreadFields. */
  unreadFields(): ConfigProblem[] {
    const problems: ConfigProblem[] = [];
    for (const report of unreadFields(this.#root)) {
      const place = report.entry?.place ?? report.message?.place;
      if (place === undefined) continue;
      const path = `${this.#prefix}.${report.path.toString()}`;
      const message = "not implemented by Headgate";
      problems.push({ ...place.position(report.entry !== null), path, message });
    }
    return problems;
  }
}

/** Throws ConfigErrors when the text is no DiscoveryResponse. */
export async function loadDiscovery(input: DiscoveryInput): Promise<LoadedDiscovery> {
  const { path, schema, prefix } = input;
  const bytes = readBytes(path);
  const { raw, place } = await readRaw(path, bytes, schema);
  const problems = new ProblemList();
  const walker = new YamlWalker(schema, problems, {
    allowUnknownFields: input.rejectUnknownFields !== true,
  });
  const root = new FieldPath(null, prefix);
  if (raw === null)
    throw fileProblem(path, "found an empty document, expected a DiscoveryResponse");
  const message = walker.message(schema.requireMessage(responseName), raw, place, root);
  problems.throwIfAny();
  if (message === undefined) throw fileProblem(path, "found no DiscoveryResponse");
  const rules = new FieldRules(schema, problems);
  rules.check(message, root);
  await rules.finish();
  const resources = readResources(new ConfigNode(schema, message, root), input.typeName, problems);
  return new LoadedDiscovery(message, prefix, resources, problems, walker.unknownFieldCount, bytes);
}

function readResources(root: ConfigNode, typeName: string, problems: ProblemList): ConfigNode[] {
  for (const name of ["version_info", "type_url", "nonce", "canary", "control_plane"]) {
    root.accept(name, "of no use in a file");
  }
  const resources: ConfigNode[] = [];
  for (const item of root.nodes("resources")) {
    const node = item.typeName === resourceName ? unwrap(item) : item;
    if (node?.typeName === typeName) {
      resources.push(node);
      continue;
    }
    node?.acceptRest("reported as a whole");
    const found = node === undefined ? "no resource" : node.typeName;
    item.report(problems, `found ${found}, expected ${typeName}`);
  }
  return resources;
}

function unwrap(wrapper: ConfigNode): ConfigNode | undefined {
  for (const name of ["name", "version", "aliases"])
    wrapper.accept(name, "the resource has its own");
  return wrapper.any("resource");
}

function readBytes(path: string): Uint8Array {
  try {
    if (statSync(path).size <= bytesMax) return readFileSync(path);
  } catch (error) {
    throw fileProblem(path, `unable to read the file: ${(error as Error).message}`);
  }
  throw fileProblem(path, `found more than ${bytesMax} bytes`);
}

/** A file without lines. */
class BinarySource extends SourceText {
  override locate(): TextPosition {
    return { line: 0, column: 0 };
  }
}

interface Raw {
  readonly raw: RawValue;
  readonly place: Place;
}

async function readRaw(path: string, bytes: Uint8Array, schema: Schema): Promise<Raw> {
  if (path.endsWith(".pb")) {
    const place = new Place(new BinarySource(path, "", "json"));
    return { raw: rawOfBinary(path, bytes, schema), place };
  }
  if (path.endsWith(".pb_text")) {
    throw fileProblem(path, ".pb_text files are not supported, expected YAML, JSON or .pb");
  }
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw fileProblem(path, "found bytes that are not UTF-8");
  }
  const source = new SourceText(path, text, path.endsWith(".json") ? "json" : "yaml");
  return { raw: await source.read(), place: new Place(source) };
}

/** The message in protobuf's JSON form, as if it had been written so. */
function rawOfBinary(path: string, bytes: Uint8Array, schema: Schema): RawValue {
  const description = schema.requireMessage(responseName);
  try {
    const json = toJson(description, fromBinary(description, bytes), {
      registry: schema.registry,
      useProtoFieldName: true,
    });
    return toRaw(json);
  } catch (error) {
    throw fileProblem(path, `found no DiscoveryResponse: ${(error as Error).message}`);
  }
}

function toRaw(json: PbJson): RawValue {
  if (Array.isArray(json)) return json.map(toRaw);
  if (typeof json !== "object" || json === null) return json;
  return new Map(Object.entries(json).map(([key, value]) => [key, toRaw(value)]));
}

function fileProblem(file: string, message: string): ConfigErrors {
  return new ConfigErrors([{ file, line: 0, column: 0, path: "", message }]);
}
