// Messages of foreign functions as lines of the scripted guest have them.

/** As the script writes bytes. */
export function escaped(bytes: Uint8Array): string {
  return [...bytes].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");
}

/** A field of a message: bytes below 128 of them, or a number. */
export function field(number: number, value: string | Uint8Array | number): Buffer {
  if (typeof value === "number") return Buffer.of(number << 3, value);
  const bytes = Buffer.from(value);
  const size =
    bytes.length < 128 ? [bytes.length] : [(bytes.length & 127) | 128, bytes.length >> 7];
  return Buffer.concat([Buffer.of((number << 3) | 2, ...size), bytes]);
}

export function message(...fields: readonly Buffer[]): string {
  return escaped(Buffer.concat(fields));
}
