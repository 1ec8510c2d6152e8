// Access logs as the workers get them; part of snapshot.ts.
import type { SubstitutionFormatConfig } from "../formatter/format-config.ts";
import type { HeaderMatchConfig } from "./route-config.ts";

export interface AccessLogConfig {
  readonly name: string;
  readonly filter: AccessLogFilterConfig | null;
  readonly sink:
    | {
        readonly kind: "file";
        readonly path: string;
        readonly format: SubstitutionFormatConfig | null;
      }
    | { readonly kind: "stdout" | "stderr"; readonly format: SubstitutionFormatConfig | null }
    | { readonly kind: "wasm"; readonly plugin: number };
}

export type ComparisonOp = "eq" | "ge" | "le" | "ne";

export type AccessLogFilterConfig =
  | {
      readonly kind: "status_code" | "duration";
      readonly op: ComparisonOp;
      readonly value: number;
      /** The value's key; "" = none. */
      readonly runtimeKey: string;
    }
  | { readonly kind: "not_health_check" }
  | { readonly kind: "traceable" }
  | {
      readonly kind: "runtime";
      readonly runtimeKey: string;
      /** Of so many streams `numerator` are logged when the key has no value. */
      readonly denominator: number;
      readonly numerator: number;
      readonly useIndependentRandomness: boolean;
    }
  | { readonly kind: "and" | "or"; readonly filters: readonly AccessLogFilterConfig[] }
  | { readonly kind: "header"; readonly header: HeaderMatchConfig }
  /** Flag bits; 0 = any flag. */
  | { readonly kind: "response_flag"; readonly flags: number }
  | {
      readonly kind: "grpc_status";
      readonly statuses: readonly number[];
      readonly exclude: boolean;
    };
