// Reads trees of conditions (xds.type.matcher.v3.Matcher). Who uses them says which inputs and
// actions there are.
import type { ConfigNode } from "../config-node.ts";
import type {
  MatcherConfig,
  MatcherRuleConfig,
  OnMatchConfig,
  PredicateConfig,
} from "../matcher-config.ts";
import type { CidrConfig } from "../snapshot.ts";
import { readCidr, readStringMatch } from "./string-reader.ts";
import { toLatin1 } from "./translation.ts";
import type { Translation } from "./translation.ts";

/** What a user of matchers can look at, and do. */
export interface MatcherKinds<Input, Action> {
  /** Both get the `typed_config`; null = it is none of theirs. */
  readInput(t: Translation, typed: ConfigNode): Input | null;
  readAction(t: Translation, typed: ConfigNode): Action | null;
  /** Why a matcher with something unknown in it is refused. */
  readonly guardedBecause: string;
}

const IP = "envoy.extensions.matching.input_matchers.ip.v3.Ip";
const IP_TREE = "xds.type.matcher.v3.IPMatcher";
const NAME_TREE = "xds.type.matcher.v3.ServerNameMatcher";

/** A problem for each part that is not implemented; such a part matches nothing. */
export function readMatcher<Input, Action>(
  t: Translation,
  node: ConfigNode,
  kinds: MatcherKinds<Input, Action>,
): MatcherConfig<Input, Action> {
  return new MatcherReader(t, kinds).matcher(node);
}

class MatcherReader<Input, Action> {
  readonly #t: Translation;
  readonly #kinds: MatcherKinds<Input, Action>;

  constructor(t: Translation, kinds: MatcherKinds<Input, Action>) {
    this.#t = t;
    this.#kinds = kinds;
  }

  matcher(node: ConfigNode): MatcherConfig<Input, Action> {
    const fallback = node.node("on_no_match");
    const onNoMatch = fallback === undefined ? null : this.#onMatch(fallback);
    const list = node.node("matcher_list");
    if (list !== undefined) {
      const rules = list.nodes("matchers").map((rule) => this.#rule(rule));
      return { kind: "list", rules: rules.filter((rule) => rule !== null), onNoMatch };
    }
    const tree = node.node("matcher_tree");
    return (tree === undefined ? null : this.#tree(tree, onNoMatch)) ?? { kind: "none", onNoMatch };
  }

  #onMatch(node: ConfigNode | undefined): OnMatchConfig<Input, Action> {
    const keepsMatching = node?.bool("keep_matching", false) ?? false;
    const nested = node?.node("matcher");
    if (nested !== undefined) return { matcher: this.matcher(nested), action: null, keepsMatching };
    const typed = this.#extension(node?.node("action"));
    const action = typed === undefined ? null : this.#kinds.readAction(this.#t, typed);
    if (typed !== undefined && action === null) this.#refuse(typed, "action");
    return { matcher: null, action, keepsMatching };
  }

  #tree(
    node: ConfigNode,
    onNoMatch: OnMatchConfig<Input, Action> | null,
  ): MatcherConfig<Input, Action> | null {
    const input = this.#input(node.node("input"));
    for (const kind of ["exact", "prefix"] as const) {
      const map = node.node(`${kind}_match_map`)?.map("map");
      if (map === undefined) continue;
      const entries = [...map].map(([key, on]) => [toLatin1(key), this.#onMatch(on)] as const);
      return input === null ? null : { kind, input, entries, onNoMatch };
    }
    const typed = this.#extension(node.node("custom_match"));
    if (typed === undefined) return null;
    if (typed.typeName === IP_TREE) {
      const ranges = typed.nodes("range_matchers").map((range) => ({
        ranges: this.#cidrs(range.nodes("ranges")),
        onMatch: this.#onMatch(range.node("on_match")),
        isExclusive: range.bool("exclusive", false),
      }));
      return input === null ? null : { kind: "ranges", input, ranges, onNoMatch };
    }
    if (typed.typeName === NAME_TREE) {
      const entries = typed.nodes("domain_matchers").flatMap((domain) => {
        const onMatch = this.#onMatch(domain.node("on_match"));
        return this.#domains(domain).map((name) => [name, onMatch] as const);
      });
      this.#reportTwice(typed, entries);
      return input === null ? null : { kind: "domains", input, entries, onNoMatch };
    }
    this.#refuse(typed, "custom_match");
    return null;
  }

  /** "*" is "", "*.a" is ".a". */
  #domains(node: ConfigNode): string[] {
    return node.strings("domains").map((text) => {
      const name = text.toLowerCase();
      const bare = name === "*" || name.startsWith("*.") ? name.slice(1) : name;
      if (bare.includes("*")) {
        const message = `found "${text}", expected a name, "*.NAME" or "*"`;
        this.#t.wrong(node, message, "domains");
      }
      return bare;
    });
  }

  #reportTwice(node: ConfigNode, entries: readonly (readonly [string, unknown])[]): void {
    const names = entries.map(([name]) => name);
    const twice = names.find((name, at) => names.indexOf(name) !== at);
    if (twice === undefined) return;
    this.#t.wrong(node, `found "${twice}" twice`, "domain_matchers");
  }

  #rule(node: ConfigNode): MatcherRuleConfig<Input, Action> | null {
    const predicate = this.#predicate(node.node("predicate"));
    const onMatch = this.#onMatch(node.node("on_match"));
    return predicate === null ? null : { predicate, onMatch };
  }

  #predicate(node: ConfigNode | undefined): PredicateConfig<Input> | null {
    if (node === undefined) return null;
    const inner = node.node("not_matcher");
    if (inner !== undefined) {
      const predicate = this.#predicate(inner);
      return predicate === null ? null : { kind: "not", predicate };
    }
    for (const kind of ["and", "or"] as const) {
      const parts = node.node(`${kind}_matcher`)?.nodes("predicate");
      if (parts === undefined) continue;
      const predicates = parts.map((part) => this.#predicate(part));
      return { kind, predicates: predicates.filter((part) => part !== null) };
    }
    const single = node.node("single_predicate");
    return single === undefined ? null : this.#single(single);
  }

  #single(node: ConfigNode): PredicateConfig<Input> | null {
    const input = this.#input(node.node("input"));
    const value = node.node("value_match");
    if (value !== undefined) {
      const match = readStringMatch(this.#t, value);
      return input === null ? null : { kind: "string", input, match };
    }
    const typed = this.#extension(node.node("custom_match"));
    if (typed === undefined) return null;
    if (typed.typeName !== IP) {
      this.#refuse(typed, "custom_match");
      return null;
    }
    typed.accept("stat_prefix", "counts only malformed addresses, which there are none");
    const ranges = this.#cidrs(typed.nodes("cidr_ranges"));
    return input === null ? null : { kind: "ip", input, ranges };
  }

  #input(node: ConfigNode | undefined): Input | null {
    const typed = this.#extension(node);
    if (typed === undefined) return null;
    const input = this.#kinds.readInput(this.#t, typed);
    if (input === null) this.#refuse(typed, "input");
    return input;
  }

  #cidrs(nodes: readonly ConfigNode[]): CidrConfig[] {
    return nodes.map((range) => readCidr(this.#t, range)).filter((range) => range !== null);
  }

  #extension(node: ConfigNode | undefined): ConfigNode | undefined {
    if (node === undefined) return undefined;
    node.accept("name", "only a label");
    const typed = node.any("typed_config");
    if (typed === undefined) this.#t.missing(node, "typed_config");
    return typed;
  }

  #refuse(typed: ConfigNode, what: string): void {
    const { typeName } = typed;
    typed.acceptRest("reported as a whole");
    this.#t.guarded(typed, `the ${what} ${typeName}`, this.#kinds.guardedBecause);
  }
}
