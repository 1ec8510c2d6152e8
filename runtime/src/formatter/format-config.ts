// The configuration of a substitution format (SubstitutionFormatString), as snapshots carry it.

export interface SubstitutionFormatConfig {
  readonly kind: "text" | "json";
  /** Text format. */
  readonly text: string;
  /** JSON format as a tree of objects, arrays, strings, numbers, booleans. */
  readonly json: JsonValue;
  readonly omitEmptyValues: boolean;
  readonly contentType: string;
}

export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };
