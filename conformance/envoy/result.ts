// What one case gave, in the form that goldens hold; made by run-group.ts, compared by diff.ts.
import type { GrpcCall } from "./grpc-upstream.ts";
import type { Fate } from "./raw-client.ts";
import type { Framing } from "./wire.ts";

/** A message with run-to-run values replaced. Fields that are empty are left out. */
export interface NormalMessage {
  readonly start: string;
  readonly headers: readonly string[];
  readonly framing: Framing;
  readonly body?: string;
  readonly trailers?: readonly string[];
  /** True when the message stopped half-way. */
  readonly isCut?: true;
}

export interface NormalConnection {
  readonly responses: readonly NormalMessage[];
  /** Bytes behind the last message. */
  readonly rest?: string;
  readonly fate: Fate;
  readonly tls?: string;
}

export interface NormalUpstreamRequest extends NormalMessage {
  readonly upstream: string;
  readonly connection: number;
  readonly tls?: string;
  readonly tunnel?: string;
}

/** An upstream connection that is no HTTP. */
export interface NormalStream {
  readonly upstream: string;
  readonly bytes: string;
  readonly end: "open" | "closed" | "reset";
  readonly tls?: string;
}

/** One case. */
export interface CaseResult {
  readonly connections: readonly NormalConnection[];
  readonly upstream: readonly NormalUpstreamRequest[];
  readonly streams?: readonly NormalStream[];
  readonly grpc?: readonly GrpcCall[];
  readonly log: readonly string[];
  /** What wasm guests logged, where the group asks for it. */
  readonly guests?: readonly string[];
  /** Deltas that are not 0, by name. */
  readonly stats: Readonly<Record<string, number>>;
}

/** Results of a group by case id. */
export type GroupResult = Readonly<Record<string, CaseResult>>;

/** A golden file. */
export interface Golden {
  /** Version of the Envoy that gave it. */
  readonly envoy: string;
  readonly cases: GroupResult;
}
