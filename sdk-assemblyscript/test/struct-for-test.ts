// google.protobuf.Struct as bytes, for tests of what reads it.

export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [name: string]: Json };

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 127) {
    bytes.push((rest & 127) | 128);
    rest >>>= 7;
  }
  return Buffer.from([...bytes, rest]);
}

/** A field with a length. */
export function field(number: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([varint(number * 8 + 2), varint(bytes.length), bytes]);
}

/** A google.protobuf.Value. */
export function value(json: Json): Buffer {
  if (json === null) return Buffer.from([8, 0]);
  if (typeof json === "number") {
    return Buffer.concat([Buffer.from([17]), Buffer.from(new Float64Array([json]).buffer)]);
  }
  if (typeof json === "string") return field(3, Buffer.from(json));
  if (typeof json === "boolean") return Buffer.from([32, json ? 1 : 0]);
  if (Array.isArray(json)) {
    return field(6, Buffer.concat(json.map((element: Json) => field(1, value(element)))));
  }
  return field(5, struct(json as { [name: string]: Json }));
}

/** A google.protobuf.Struct as every serialiser writes it. */
export function struct(json: { readonly [name: string]: Json }): Buffer {
  const entries = Object.entries(json).map(([name, member]) =>
    field(1, Buffer.concat([field(1, Buffer.from(name)), field(2, value(member))])),
  );
  return Buffer.concat(entries);
}
