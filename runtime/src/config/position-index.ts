// Finds where a field path stands in the texts that a message came from; made by
// bootstrap-loader.ts for stages that know a path and no ConfigNode.
import { type FieldValue, type Json, JsonValue, MessageValue } from "./message-value.ts";
import type { Place } from "./source-text.ts";

export class PositionIndex {
  readonly #root: MessageValue;

  constructor(root: MessageValue) {
    this.#root = root;
  }

  /**
   * `file:line:col` of a path given by proto names, list indexes and map keys, such as
   * `["static_resources", "clusters", 0, "name"]`. Follows Any, Struct, TypedStruct and
   * --config-yaml. Of a path that leads to nothing, the last part that exists; "" when the message
   * came without a text.
   */
  locate(segments: readonly (string | number)[]): string {
    let place: Place = this.#root.place;
    let value: FieldValue | undefined = this.#root;
    for (const segment of segments) {
      const next = step(value, place, segment);
      if (next === undefined) break;
      place = next.place;
      value = next.value;
    }
    const { file, line, column } = place.position();
    return line > 0 ? `${file}:${line}:${column}` : file;
  }
}

interface Step {
  readonly place: Place;
  readonly value: FieldValue | undefined;
}

function step(
  value: FieldValue | undefined,
  place: Place,
  segment: string | number,
): Step | undefined {
  if (value instanceof MessageValue) {
    // An Any of a Struct and its like: its one field.
    if (value.wellKnown !== null && segment === "value")
      return { place: place.child(segment), value: value.wellKnown };
    const entry = value.fields.get(String(segment));
    return entry === undefined ? undefined : { place: entry.place, value: entry.value };
  }
  if (value instanceof JsonValue) return stepInJson(value.json, place, segment);
  let item: FieldValue | undefined;
  if (Array.isArray(value)) item = value[Number(segment)];
  else if (value instanceof Map) item = value.get(String(segment));
  if (item === undefined) return undefined;
  return { place: item instanceof MessageValue ? item.place : place.child(segment), value: item };
}

function stepInJson(json: Json, place: Place, segment: string | number): Step | undefined {
  if (typeof json !== "object" || json === null || !Object.hasOwn(json, segment)) return undefined;
  const item = (json as Readonly<Record<string | number, Json>>)[segment] as Json;
  return { place: place.child(segment), value: new JsonValue(item) };
}
