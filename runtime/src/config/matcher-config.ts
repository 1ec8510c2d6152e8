// A tree of conditions (xds.type.matcher.v3.Matcher) as plain data. `Input` says what is looked at
// and `Action` what comes of it: each user has its own (filter chains: NetworkInputConfig, a name).
import type { CidrConfig } from "./snapshot.ts";
import type { StringMatchConfig } from "./route-config.ts";

export type MatcherConfig<Input, Action> =
  | MatcherListConfig<Input, Action>
  | MatcherMapConfig<Input, Action>
  | MatcherRangesConfig<Input, Action>
  | MatcherDomainsConfig<Input, Action>
  | MatcherOfNothing<Input, Action>;

interface MatcherBase<Input, Action> {
  /** For what nothing else takes. */
  readonly onNoMatch: OnMatchConfig<Input, Action> | null;
}

/** What follows from a match; just one of the two is there. */
export interface OnMatchConfig<Input, Action> {
  readonly matcher: MatcherConfig<Input, Action> | null;
  readonly action: Action | null;
  /** The search goes on as if nothing had matched. */
  readonly keepsMatching: boolean;
}

/** The first rule that matches, and whose matcher finds something, decides. */
export interface MatcherListConfig<Input, Action> extends MatcherBase<Input, Action> {
  readonly kind: "list";
  readonly rules: readonly MatcherRuleConfig<Input, Action>[];
}

export interface MatcherRuleConfig<Input, Action> {
  readonly predicate: PredicateConfig<Input>;
  readonly onMatch: OnMatchConfig<Input, Action>;
}

export type PredicateConfig<Input> =
  | { readonly kind: "and" | "or"; readonly predicates: readonly PredicateConfig<Input>[] }
  | { readonly kind: "not"; readonly predicate: PredicateConfig<Input> }
  | { readonly kind: "string"; readonly input: Input; readonly match: StringMatchConfig }
  | { readonly kind: "ip"; readonly input: Input; readonly ranges: readonly CidrConfig[] };

/** Keys are latin1, one character a byte; each stands there once. */
export interface MatcherMapConfig<Input, Action> extends MatcherBase<Input, Action> {
  /** Of "prefix" the longest key decides; when its matcher finds nothing, the next shorter one. */
  readonly kind: "exact" | "prefix";
  readonly input: Input;
  readonly entries: readonly (readonly [string, OnMatchConfig<Input, Action>])[];
}

/** IPMatcher: the longest range decides; when its matcher finds nothing, the next shorter one. */
export interface MatcherRangesConfig<Input, Action> extends MatcherBase<Input, Action> {
  readonly kind: "ranges";
  readonly input: Input;
  readonly ranges: readonly MatcherRangeConfig<Input, Action>[];
}

export interface MatcherRangeConfig<Input, Action> {
  readonly ranges: readonly CidrConfig[];
  readonly onMatch: OnMatchConfig<Input, Action>;
  /** Counts only as the longest of all. */
  readonly isExclusive: boolean;
}

/** ServerNameMatcher: the name itself, then wildcards, the longest first. */
export interface MatcherDomainsConfig<Input, Action> extends MatcherBase<Input, Action> {
  readonly kind: "domains";
  readonly input: Input;
  /** Lower-case: "a.test", ".test" for all names below it, "" for all names. */
  readonly entries: readonly (readonly [string, OnMatchConfig<Input, Action>])[];
}

/** Only `onNoMatch`. */
export interface MatcherOfNothing<Input, Action> extends MatcherBase<Input, Action> {
  readonly kind: "none";
}

/** What is known of a connection before its filter chain is chosen. */
export type NetworkInputConfig =
  | "destination_ip"
  | "destination_port"
  | "source_ip"
  | "source_port"
  | "direct_source_ip"
  | "source_type"
  | "server_name"
  | "transport_protocol"
  | "application_protocol";

/** Its action is the name of a filter chain. */
export type FilterChainMatcherConfig = MatcherConfig<NetworkInputConfig, string>;
