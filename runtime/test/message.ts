// Headers and bodies as tests write them, and back.
import { fromJson, toBinary } from "@bufbuild/protobuf";
import { StructSchema } from "@bufbuild/protobuf/wkt";
import type { HeaderMap } from "../src/core/header-map.ts";

/** A value per name, several values of a name, or pairs when order or repetition matters. */
export type HeaderInput =
  | Readonly<Record<string, string | readonly string[]>>
  | readonly (readonly [string, string])[];

/** One piece, or pieces that come one after another. */
export type BodyInput = string | Uint8Array | readonly (string | Uint8Array)[];

/** As protobuf's own type; but authors of filters, whose editors read this, do not have that package. */
export type JsonValue = string | number | boolean | null | JsonObject | JsonValue[];
export interface JsonObject {
  [name: string]: JsonValue;
}

/** Adds headers; names become lower-case, "host" is the authority. */
export function fillMap(map: HeaderMap, input: HeaderInput | undefined): void {
  if (input === undefined) return;
  if (Array.isArray(input)) {
    for (const [name, value] of input as readonly (readonly [string, string])[]) {
      map.append(name.toLowerCase(), value);
    }
    return;
  }
  for (const [name, value] of Object.entries(input)) {
    const values: readonly string[] = typeof value === "string" ? [value] : value;
    for (const one of values) map.append(name.toLowerCase(), one);
  }
}

export function bufferOf(body: BodyInput | undefined): Buffer[] {
  if (body === undefined) return [];
  const pieces = typeof body === "string" || body instanceof Uint8Array ? [body] : body;
  return pieces
    .map((piece) => (typeof piece === "string" ? Buffer.from(piece) : Buffer.from(piece)))
    .filter((piece) => piece.length > 0);
}

export function listOf(map: HeaderMap): [string, string][] {
  const list: [string, string][] = [];
  map.visit({ onHeader: (name, value) => void list.push([name, value]) });
  return list;
}

/** Values of the same name are joined by ", ". */
export function recordOf(map: HeaderMap): Record<string, string> {
  const record: Record<string, string> = {};
  for (const [name, value] of listOf(map)) {
    const before = record[name];
    record[name] = before === undefined ? value : `${before}, ${value}`;
  }
  return record;
}

/** A google.protobuf.Struct in bytes: what a plugin gets whose configuration is one. */
export function structBytes(value: JsonObject): Uint8Array {
  return toBinary(StructSchema, fromJson(StructSchema, value));
}

/** "ip:port" as a connection has it. */
export function addressOf(text: string): { ip: string; port: number } {
  const colon = text.lastIndexOf(":");
  return { ip: text.slice(0, colon).replace(/^\[|\]$/g, ""), port: Number(text.slice(colon + 1)) };
}
