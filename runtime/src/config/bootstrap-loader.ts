// From the texts of -c and --config-yaml to one checked Bootstrap message, or all problems at once;
// called by server/ at start and by --mode validate. Main thread only.
import { readFileSync } from "node:fs";
import type { Message } from "@bufbuild/protobuf";
import { ConfigErrors, type ConfigProblem } from "./config-error.ts";
import { acceptedFields, ConfigNode, type FieldReport, unreadFields } from "./config-node.ts";
import { FieldRules } from "./field-rules.ts";
import { mergeMessage } from "./message-merge.ts";
import type { MessageValue } from "./message-value.ts";
import { PositionIndex } from "./position-index.ts";
import { FieldPath, ProblemList } from "./problem-list.ts";
import { Schema } from "./schema.ts";
import { Place, SourceText } from "./source-text.ts";
import { YamlWalker } from "./yaml-walker.ts";
import type { RawValue } from "./yaml-scalars.ts";

const bootstrapName = "envoy.config.bootstrap.v3.Bootstrap";
/** How --config-yaml is named in problems. */
const inlineName = "--config-yaml";
const binaryExtensions = [".pb", ".pb_text", ".pb_length_delimited"] as const;

export interface BootstrapInput {
  /** File of -c. A name that ends in .json is read as JSON, every other as YAML. */
  readonly path?: string | undefined;
  /** Text of --config-yaml, merged over the file; "" is as good as none. */
  readonly yaml?: string | undefined;
  /** --allow-unknown-static-fields: unknown fields and enum names become warnings. */
  readonly allowUnknownStaticFields: boolean;
  /**
   * Answers with what can be read and `errors`, instead of throwing, so that later stages can add
   * what they find: default false.
   */
  readonly keepGoing?: boolean;
  /** Default: the descriptor set beside schema.ts. */
  readonly schema?: Schema | undefined;
}

/** A bootstrap without any problem in it. */
export class LoadedBootstrap {
  /** The message; every later stage reads it through this. */
  readonly root: ConfigNode;
  /** Deprecated and (when allowed) unknown fields, in the order of the text. */
  readonly warnings: readonly ConfigProblem[];
  /** How many warnings are about unknown fields, for `server.static_unknown_fields`. */
  readonly unknownFieldCount: number;
  /** What was wrong and left out, when `keepGoing` was asked for; null otherwise. */
  readonly errors: ConfigErrors | null;
  readonly positions: PositionIndex;
  readonly schema: Schema;
  readonly #message: MessageValue;

  constructor(
    schema: Schema,
    message: MessageValue,
    warnings: readonly ConfigProblem[],
    unknownFieldCount: number,
    errors: ConfigErrors | null,
  ) {
    this.errors = errors;
    this.schema = schema;
    this.root = new ConfigNode(schema, message);
    this.warnings = warnings;
    this.unknownFieldCount = unknownFieldCount;
    this.positions = new PositionIndex(message);
    this.#message = message;
  }

  /** The protobuf-es message; made anew on each call. */
  toMessage(): Message {
    return this.root.toMessage();
  }

  /**
   * Fields that are set and that nobody has read through `root`, topmost only: what is valid but
   * not implemented. Call it when the translation is done.
   */
  unreadFields(): ConfigProblem[] {
    return this.#located(unreadFields(this.#message), () => "not implemented by Headgate");
  }

  /** Fields that `ConfigNode.accept` let stand without effect, each with its reason. */
  acceptedFields(): ConfigProblem[] {
    const reason = (report: FieldReport): string => report.entry?.acceptedReason ?? "";
    return this.#located(acceptedFields(this.#message), reason);
  }

  #located(
    reports: readonly FieldReport[],
    words: (report: FieldReport) => string,
  ): ConfigProblem[] {
    const problems: ConfigProblem[] = [];
    for (const report of reports) {
      const place = report.entry?.place ?? report.message?.place;
      if (place === undefined) continue;
      const position = place.position(report.entry !== null);
      problems.push({ ...position, path: report.path.toString(), message: words(report) });
    }
    return problems;
  }
}

/** Throws ConfigErrors with everything that is wrong: syntax, names, types, rules. */
export async function loadBootstrap(input: BootstrapInput): Promise<LoadedBootstrap> {
  const sources = openSources(input);
  const roots = await readAll(sources);
  const schema = input.schema ?? Schema.open();
  const problems = new ProblemList();
  const walker = new YamlWalker(schema, problems, {
    allowUnknownFields: input.allowUnknownStaticFields,
  });
  const description = schema.requireMessage(bootstrapName);
  const path = new FieldPath();
  let bootstrap: MessageValue | undefined;
  for (const [index, raw] of roots.entries()) {
    const place = new Place(sources[index] ?? null);
    if (raw === null) {
      problems.error(place, path, "found an empty document, expected a bootstrap configuration");
      continue;
    }
    const message = walker.message(description, raw, place, path);
    if (bootstrap === undefined || message === undefined) bootstrap ??= message;
    else mergeMessage(bootstrap, message);
  }
  if (bootstrap !== undefined) {
    const rules = new FieldRules(schema, problems);
    rules.check(bootstrap, path);
    await rules.finish();
  }
  const errors = problems.errors();
  if (errors !== null && (input.keepGoing !== true || bootstrap === undefined)) throw errors;
  if (bootstrap === undefined) throw noConfiguration();
  const warnings = problems.warnings();
  return new LoadedBootstrap(schema, bootstrap, warnings, walker.unknownFieldCount, errors);
}

function openSources(input: BootstrapInput): SourceText[] {
  const sources: SourceText[] = [];
  if (input.path !== undefined && input.path !== "") sources.push(openFile(input.path));
  if (input.yaml !== undefined && input.yaml !== "") {
    sources.push(new SourceText(inlineName, input.yaml, "yaml"));
  }
  if (sources.length === 0) throw noConfiguration();
  return sources;
}

function noConfiguration(): ConfigErrors {
  return fileProblem("", "no configuration: expected --config-path or --config-yaml");
}

function openFile(path: string): SourceText {
  for (const extension of binaryExtensions) {
    if (!path.endsWith(extension)) continue;
    throw fileProblem(path, `${extension} files are not supported, expected YAML or JSON`);
  }
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(path));
  } catch (error) {
    const isSystem = error instanceof Error && "syscall" in error;
    const reason = isSystem ? error.message : "found bytes that are not UTF-8";
    throw fileProblem(path, `unable to read the file: ${reason}`);
  }
  return new SourceText(path, text, path.endsWith(".json") ? "json" : "yaml");
}

function fileProblem(file: string, message: string): ConfigErrors {
  return new ConfigErrors([{ file, line: 0, column: 0, path: "", message }]);
}

// A syntax error in one text does not hide those of the other.
async function readAll(sources: readonly SourceText[]): Promise<RawValue[]> {
  const values: RawValue[] = [];
  const problems: ConfigProblem[] = [];
  let omitted = 0;
  for (const source of sources) {
    try {
      values.push(await source.read());
    } catch (error) {
      if (!(error instanceof ConfigErrors)) throw error;
      problems.push(...error.problems);
      omitted += error.omitted;
    }
  }
  if (problems.length > 0) throw new ConfigErrors(problems, omitted);
  return values;
}
