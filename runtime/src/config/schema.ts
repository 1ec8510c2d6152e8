// Envoy's API as descriptors, from the committed descriptor set; main thread only. Called by the
// walker, the rule checker and whoever turns messages into bytes.
import { readFileSync } from "node:fs";
import {
  createFileRegistry,
  create,
  type DescEnum,
  type DescExtension,
  type DescField,
  type DescFile,
  type DescMessage,
  fromBinary,
  type Registry,
} from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import {
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
} from "@bufbuild/protobuf/wkt/google/protobuf/descriptor_pb.js";

/**
 * The descriptor set stands beside this file, and is to be copied beside a bundle. Whoever embeds
 * it elsewhere gives its bytes to `Schema.open`.
 */
const besideThisFile = "./envoy-api.binpb";

/** Field numbers of google.protobuf.FileDescriptorSet, FileDescriptorProto and DescriptorProto. */
const setFile = 1;
const fileName = 1;
const filePackage = 2;
const fileDependency = 3;
const fileMessage = 4;
const messageName = 1;

interface FileEntry {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly dependencies: readonly string[];
  /** Place in the set, which is ordered dependencies first. */
  readonly order: number;
}

/**
 * All of Envoy's messages, decoded file by file when first asked for: the whole set takes 80 ms,
 * what an ordinary bootstrap needs about a quarter of it.
 */
export class Schema {
  /** For protobuf-es functions that follow `Any`; loads what they ask for. */
  readonly registry: Registry;
  readonly #files: ReadonlyMap<string, FileEntry>;
  // Top-level messages only: nested ones are found through them.
  readonly #fileOfType: ReadonlyMap<string, string>;
  readonly #built: Map<string, DescFile>;
  readonly #messages: Map<string, DescMessage>;
  readonly #fieldNames: Map<DescMessage, ReadonlyMap<string, DescField>>;

  constructor(descriptorSet: Uint8Array) {
    const { files, fileOfType } = indexDescriptorSet(descriptorSet);
    this.#files = files;
    this.#fileOfType = fileOfType;
    this.#built = new Map();
    this.#messages = new Map();
    this.#fieldNames = new Map();
    this.registry = this.#lazyRegistry();
  }

  /**
   * Reads and indexes a descriptor set: its bytes, a path, or by default the file that stands
   * beside this module.
   */
  static open(source?: Uint8Array | string | URL): Schema {
    if (source instanceof Uint8Array) return new Schema(source);
    return new Schema(readFileSync(source ?? new URL(besideThisFile, import.meta.url)));
  }

  /** The message of that full name, undefined when the API has none. */
  getMessage(typeName: string): DescMessage | undefined {
    const known = this.#messages.get(typeName);
    if (known !== undefined) return known;
    const file = this.#findFile(typeName);
    if (file === undefined) return undefined;
    this.#build(file);
    return this.#messages.get(typeName);
  }

  /** As getMessage, for names that are known to exist; throws when the set lacks it. */
  requireMessage(typeName: string): DescMessage {
    const message = this.getMessage(typeName);
    if (message === undefined) throw new Error(`the descriptor set has no message ${typeName}`);
    return message;
  }

  /** The extension of that full name that a file of the set declares at its top level. */
  getExtension(protoFile: string, typeName: string): DescExtension {
    const entry = this.#files.get(protoFile);
    if (entry === undefined) throw new Error(`the descriptor set has no file ${protoFile}`);
    this.#build(entry);
    for (const extension of this.#built.get(protoFile)?.extensions ?? []) {
      if (extension.typeName === typeName) return extension;
    }
    throw new Error(`the descriptor set has no extension ${typeName}`);
  }

  /** The field that `key` means in a message, by its proto name or its camelCase JSON name. */
  getField(message: DescMessage, key: string): DescField | undefined {
    return this.fieldNames(message).get(key);
  }

  /** Proto names and JSON names of a message's fields. */
  fieldNames(message: DescMessage): ReadonlyMap<string, DescField> {
    let names = this.#fieldNames.get(message);
    if (names === undefined) {
      const made = new Map<string, DescField>();
      for (const field of message.fields) made.set(field.jsonName, field);
      for (const field of message.fields) made.set(field.name, field);
      names = made;
      this.#fieldNames.set(message, names);
    }
    return names;
  }

  /** Full names of all top-level messages, for suggestions. */
  typeNames(): Iterable<string> {
    return this.#fileOfType.keys();
  }

  #findFile(typeName: string): FileEntry | undefined {
    for (let name = typeName; name !== ""; name = name.slice(0, name.lastIndexOf("."))) {
      const file = this.#fileOfType.get(name);
      if (file !== undefined) return this.#files.get(file);
      if (!name.includes(".")) return undefined;
    }
    return undefined;
  }

  /** Decodes and links a file with everything it imports that is not there yet. */
  #build(file: FileEntry): void {
    if (this.#built.has(file.name)) return;
    const missing = this.#missing(file);
    const isFirst = this.#built.size === 0;
    if (isFirst) {
      const set = create(FileDescriptorSetSchema);
      for (const entry of missing) set.file.push(decodeFile(entry));
      for (const built of createFileRegistry(set).files) this.#add(built);
      return;
    }
    const resolve = (name: string): DescFile | undefined => {
      const built = this.#built.get(name);
      return built === undefined ? undefined : withoutDependencies(built);
    };
    for (const entry of missing) {
      const registry = createFileRegistry(decodeFile(entry), resolve);
      const built = registry.getFile(entry.name);
      if (built !== undefined) this.#add(built);
    }
  }

  #missing(file: FileEntry): FileEntry[] {
    const found = new Set<FileEntry>();
    const pending: FileEntry[] = [file];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      if (found.has(next) || this.#built.has(next.name)) continue;
      found.add(next);
      for (const name of next.dependencies) {
        const dependency = this.#files.get(name);
        if (dependency === undefined) throw new Error(`the descriptor set lacks ${name}`);
        pending.push(dependency);
      }
    }
    return [...found].sort((left, right) => left.order - right.order);
  }

  #add(file: DescFile): void {
    this.#built.set(file.proto.name, file);
    const pending: DescMessage[] = [...file.messages];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      this.#messages.set(next.typeName, next);
      pending.push(...next.nestedMessages);
    }
  }

  #lazyRegistry(): Registry {
    const messages = this.#messages;
    const getMessage = (typeName: string): DescMessage | undefined => this.getMessage(typeName);
    return {
      kind: "registry",
      [Symbol.iterator]: () => messages.values(),
      get: getMessage,
      getMessage,
      getEnum: () => undefined,
      getExtension: () => undefined,
      getExtensionFor: () => undefined,
      getService: () => undefined,
    };
  }
}

/** The value of that name in an enum, ignoring case as Envoy does, or of that number. */
export function findEnumValue(
  description: DescEnum,
  name: string,
): DescEnum["values"][number] | undefined {
  const wanted = name.toUpperCase();
  for (const value of description.values) {
    if (value.name === name || value.name.toUpperCase() === wanted) return value;
  }
  return undefined;
}

/** The message name in a type URL: what stands behind its last slash. */
export function typeNameOf(typeUrl: string): string {
  return typeUrl.slice(typeUrl.lastIndexOf("/") + 1);
}

// createFileRegistry adds a given file with all that it imports, again and again for each way to
// it, which is most of the cost. Only the types of direct imports are needed.
function withoutDependencies(file: DescFile): DescFile {
  return Object.create(file, { dependencies: { value: [] } }) as DescFile;
}

function decodeFile(entry: FileEntry): FileDescriptorProto {
  return fromBinary(FileDescriptorProtoSchema, entry.bytes);
}

interface SetIndex {
  readonly files: ReadonlyMap<string, FileEntry>;
  readonly fileOfType: ReadonlyMap<string, string>;
}

// Reads names only, so that the 600 files need not be decoded to find the right ones.
function indexDescriptorSet(descriptorSet: Uint8Array): SetIndex {
  const files = new Map<string, FileEntry>();
  const fileOfType = new Map<string, string>();
  const reader = new BinaryReader(descriptorSet);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field !== setFile) {
      reader.skip(wireType);
      continue;
    }
    const bytes = reader.bytes();
    const { name, dependencies, messages } = indexFile(bytes);
    files.set(name, { name, bytes, dependencies, order: files.size });
    for (const message of messages) fileOfType.set(message, name);
  }
  return { files, fileOfType };
}

function indexFile(bytes: Uint8Array): {
  readonly name: string;
  readonly dependencies: readonly string[];
  readonly messages: readonly string[];
} {
  const reader = new BinaryReader(bytes);
  let name = "";
  let prefix = "";
  const dependencies: string[] = [];
  const messages: string[] = [];
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === fileName) name = reader.string();
    else if (field === filePackage) prefix = `${reader.string()}.`;
    else if (field === fileDependency) dependencies.push(reader.string());
    else if (field === fileMessage) messages.push(prefix + firstName(reader.bytes()));
    else reader.skip(wireType);
  }
  return { name, dependencies, messages };
}

function firstName(bytes: Uint8Array): string {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === messageName && wireType === WireType.LengthDelimited) return reader.string();
    reader.skip(wireType);
  }
  return "";
}
