// Warns about fields and enum values that Envoy marks as deprecated, and refuses those that Envoy
// refuses by default; called by the walker for what a configuration sets.
import {
  type DescEnumValue,
  type DescExtension,
  type DescField,
  getOption,
} from "@bufbuild/protobuf";
import type { FieldPath, ProblemList } from "./problem-list.ts";
import type { Schema } from "./schema.ts";
import type { Place } from "./source-text.ts";

const annotationsFile = "envoy/annotations/deprecation.proto";

export class Deprecations {
  readonly #schema: Schema;
  readonly #problems: ProblemList;

  constructor(schema: Schema, problems: ProblemList) {
    this.#schema = schema;
    this.#problems = problems;
  }

  checkField(field: DescField, place: Place, path: FieldPath): void {
    if (!field.deprecated) return;
    const option = this.#option("envoy.annotations.disallowed_by_default");
    const isRefused = getOption(field, option) === true;
    const name = `${field.parent.typeName}.${field.name}`;
    this.#report(isRefused, "option", name, field.parent.file.proto.name, place, path);
  }

  checkEnumValue(value: DescEnumValue, place: Place, path: FieldPath): void {
    if (!value.deprecated) return;
    const option = this.#option("envoy.annotations.disallowed_by_default_enum");
    const isRefused = getOption(value, option) === true;
    const file = value.parent.file.proto.name;
    this.#report(isRefused, "value", value.name, file, place, path);
  }

  #option(name: string): DescExtension {
    return this.#schema.getExtension(annotationsFile, name);
  }

  // The inner sentence is Envoy's, so that searches for it lead to the same pages.
  #report(
    isRefused: boolean,
    what: "option" | "value",
    name: string,
    file: string,
    place: Place,
    path: FieldPath,
  ): void {
    const base = file.slice(file.lastIndexOf("/") + 1);
    const text = `deprecated ${what} '${name}' from file ${base}`;
    if (isRefused) {
      this.#problems.error(place, path, `refused by default: Using ${text}`, "key");
    } else this.#problems.warn(place, path, `deprecated: Using ${text}`, "key");
  }
}
