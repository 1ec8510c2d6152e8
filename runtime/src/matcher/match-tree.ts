// Trees of conditions (xds.type.matcher.v3.Matcher), compiled once. Filter chains use them; whoever
// matches requests gives other inputs and other actions.
import { CidrList } from "../core/ip-address.ts";
import type {
  MatcherConfig,
  MatcherRangeConfig,
  OnMatchConfig,
  PredicateConfig,
} from "../config/matcher-config.ts";
import { compileStringMatch } from "./string-matcher.ts";
import type { StringMatcher } from "./string-matcher.ts";

/** One thing that is looked at: text of one character a byte, null = there is none. */
export interface MatchInput<Context> {
  read(context: Context): string | null;
}

/** Gives the input that a configuration names. */
export type InputOf<Input, Context> = (input: Input) => MatchInput<Context>;

export interface MatchTree<Context, Action> {
  /** Null = nothing matches. As deep as the configuration, which the parser bounds. */
  match(context: Context): Action | null;
}

/** Compiles a matcher; regular expressions and ranges were checked when it was read. */
export function compileMatcher<Input, Context, Action>(
  config: MatcherConfig<Input, Action>,
  inputOf: InputOf<Input, Context>,
): MatchTree<Context, Action> {
  const onNoMatch = config.onNoMatch === null ? null : compileOnMatch(config.onNoMatch, inputOf);
  const outcome = (onMatch: OnMatchConfig<Input, Action>): Outcome<Context, Action> =>
    compileOnMatch(onMatch, inputOf);
  switch (config.kind) {
    case "list": {
      const rules = config.rules.map(({ predicate, onMatch }) => ({
        predicate: compilePredicate(predicate, inputOf),
        outcome: outcome(onMatch),
      }));
      return new ListTree(onNoMatch, rules);
    }
    case "none":
      return new ListTree(onNoMatch, []);
    case "ranges":
      return new RangeTree(onNoMatch, inputOf(config.input), rangesOf(config.ranges, outcome));
    default: {
      const entries = config.entries.map(([key, onMatch]) => [key, outcome(onMatch)] as const);
      const input = inputOf(config.input);
      if (config.kind === "exact") return new ExactTree(onNoMatch, input, new Map(entries));
      if (config.kind === "prefix") return new PrefixTree(onNoMatch, input, entries);
      return new DomainTree(onNoMatch, input, new Map(entries));
    }
  }
}

/** What follows from a match: another tree, or an action. */
class Outcome<Context, Action> {
  readonly #tree: MatchTree<Context, Action> | null;
  readonly #action: Action | null;
  readonly #keepsMatching: boolean;

  constructor(
    tree: MatchTree<Context, Action> | null,
    action: Action | null,
    keepsMatching: boolean,
  ) {
    this.#tree = tree;
    this.#action = action;
    this.#keepsMatching = keepsMatching;
  }

  /** Null = the search goes on. */
  find(context: Context): Action | null {
    if (this.#keepsMatching) return null;
    return this.#tree === null ? this.#action : this.#tree.match(context);
  }
}

function compileOnMatch<Input, Context, Action>(
  config: OnMatchConfig<Input, Action>,
  inputOf: InputOf<Input, Context>,
): Outcome<Context, Action> {
  const tree = config.matcher === null ? null : compileMatcher(config.matcher, inputOf);
  return new Outcome(tree, config.action, config.keepsMatching);
}

abstract class Tree<Context, Action> implements MatchTree<Context, Action> {
  readonly #onNoMatch: Outcome<Context, Action> | null;

  constructor(onNoMatch: Outcome<Context, Action> | null) {
    this.#onNoMatch = onNoMatch;
  }

  match(context: Context): Action | null {
    return this.find(context) ?? this.#onNoMatch?.find(context) ?? null;
  }

  protected abstract find(context: Context): Action | null;
}

interface Rule<Context, Action> {
  readonly predicate: Predicate<Context>;
  readonly outcome: Outcome<Context, Action>;
}

class ListTree<Context, Action> extends Tree<Context, Action> {
  readonly #rules: readonly Rule<Context, Action>[];

  constructor(onNoMatch: Outcome<Context, Action> | null, rules: readonly Rule<Context, Action>[]) {
    super(onNoMatch);
    this.#rules = rules;
  }

  protected override find(context: Context): Action | null {
    for (const { predicate, outcome } of this.#rules) {
      const found = predicate.matches(context) ? outcome.find(context) : null;
      if (found !== null) return found;
    }
    return null;
  }
}

/** A tree that looks at one thing; where that is not there nothing is found. */
abstract class InputTree<Context, Action> extends Tree<Context, Action> {
  readonly #input: MatchInput<Context>;

  constructor(onNoMatch: Outcome<Context, Action> | null, input: MatchInput<Context>) {
    super(onNoMatch);
    this.#input = input;
  }

  protected override find(context: Context): Action | null {
    const text = this.#input.read(context);
    return text === null ? null : this.findText(text, context);
  }

  protected abstract findText(text: string, context: Context): Action | null;
}

class ExactTree<Context, Action> extends InputTree<Context, Action> {
  readonly #entries: ReadonlyMap<string, Outcome<Context, Action>>;

  constructor(
    onNoMatch: Outcome<Context, Action> | null,
    input: MatchInput<Context>,
    entries: ReadonlyMap<string, Outcome<Context, Action>>,
  ) {
    super(onNoMatch, input);
    this.#entries = entries;
  }

  protected override findText(text: string, context: Context): Action | null {
    return this.#entries.get(text)?.find(context) ?? null;
  }
}

class PrefixTree<Context, Action> extends InputTree<Context, Action> {
  /** The longest first. */
  readonly #entries: readonly (readonly [string, Outcome<Context, Action>])[];

  constructor(
    onNoMatch: Outcome<Context, Action> | null,
    input: MatchInput<Context>,
    entries: readonly (readonly [string, Outcome<Context, Action>])[],
  ) {
    super(onNoMatch, input);
    this.#entries = entries.toSorted(([a], [b]) => b.length - a.length);
  }

  protected override findText(text: string, context: Context): Action | null {
    for (const [prefix, outcome] of this.#entries) {
      const found = text.startsWith(prefix) ? outcome.find(context) : null;
      if (found !== null) return found;
    }
    return null;
  }
}

interface Range<Context, Action> {
  readonly cidr: CidrList;
  readonly prefixLength: number;
  readonly isExclusive: boolean;
  readonly outcome: Outcome<Context, Action>;
}

/** The longest first; of equal ones the first. */
function rangesOf<Input, Context, Action>(
  configs: readonly MatcherRangeConfig<Input, Action>[],
  outcomeOf: (onMatch: OnMatchConfig<Input, Action>) => Outcome<Context, Action>,
): Range<Context, Action>[] {
  const ranges = configs.flatMap(({ ranges: list, onMatch, isExclusive }) => {
    const outcome = outcomeOf(onMatch);
    return list.map((range) => {
      const { prefixLength } = range;
      return { cidr: new CidrList([range]), prefixLength, isExclusive, outcome };
    });
  });
  return ranges.sort((a, b) => b.prefixLength - a.prefixLength);
}

class RangeTree<Context, Action> extends InputTree<Context, Action> {
  readonly #ranges: readonly Range<Context, Action>[];

  constructor(
    onNoMatch: Outcome<Context, Action> | null,
    input: MatchInput<Context>,
    ranges: readonly Range<Context, Action>[],
  ) {
    super(onNoMatch, input);
    this.#ranges = ranges;
  }

  protected override findText(text: string, context: Context): Action | null {
    let isFirst = true;
    for (const { cidr, isExclusive, outcome } of this.#ranges) {
      if ((isExclusive && !isFirst) || !cidr.contains(text)) continue;
      isFirst = false;
      const found = outcome.find(context);
      if (found !== null) return found;
    }
    return null;
  }
}

class DomainTree<Context, Action> extends InputTree<Context, Action> {
  readonly #entries: ReadonlyMap<string, Outcome<Context, Action>>;

  constructor(
    onNoMatch: Outcome<Context, Action> | null,
    input: MatchInput<Context>,
    entries: ReadonlyMap<string, Outcome<Context, Action>>,
  ) {
    super(onNoMatch, input);
    this.#entries = entries;
  }

  protected override findText(text: string, context: Context): Action | null {
    let found = this.#entries.get(text)?.find(context) ?? null;
    for (
      let dot = text.indexOf(".");
      found === null && dot >= 0;
      dot = text.indexOf(".", dot + 1)
    ) {
      // ".a.test" is the key of "*.a.test", and no name begins with a dot.
      if (dot > 0) found = this.#entries.get(text.slice(dot))?.find(context) ?? null;
    }
    return found ?? this.#entries.get(ANY_NAME)?.find(context) ?? null;
  }
}

const ANY_NAME = "";

// ---- Predicates.

interface Predicate<Context> {
  matches(context: Context): boolean;
}

function compilePredicate<Input, Context>(
  config: PredicateConfig<Input>,
  inputOf: InputOf<Input, Context>,
): Predicate<Context> {
  switch (config.kind) {
    case "not":
      return new NotPredicate(compilePredicate(config.predicate, inputOf));
    case "and":
    case "or": {
      const parts = config.predicates.map((one) => compilePredicate(one, inputOf));
      return new JoinedPredicate(parts, config.kind === "and");
    }
    case "string":
      return new TextPredicate(inputOf(config.input), compileStringMatch(config.match));
    default:
      return new TextPredicate(inputOf(config.input), new RangeMatcher(config.ranges));
  }
}

class NotPredicate<Context> implements Predicate<Context> {
  readonly #inner: Predicate<Context>;

  constructor(inner: Predicate<Context>) {
    this.#inner = inner;
  }

  matches(context: Context): boolean {
    return !this.#inner.matches(context);
  }
}

class JoinedPredicate<Context> implements Predicate<Context> {
  readonly #parts: readonly Predicate<Context>[];
  readonly #needsAll: boolean;

  constructor(parts: readonly Predicate<Context>[], needsAll: boolean) {
    this.#parts = parts;
    this.#needsAll = needsAll;
  }

  matches(context: Context): boolean {
    for (const part of this.#parts) {
      if (part.matches(context) !== this.#needsAll) return !this.#needsAll;
    }
    return this.#needsAll;
  }
}

class TextPredicate<Context> implements Predicate<Context> {
  readonly #input: MatchInput<Context>;
  readonly #matcher: StringMatcher;

  constructor(input: MatchInput<Context>, matcher: StringMatcher) {
    this.#input = input;
    this.#matcher = matcher;
  }

  matches(context: Context): boolean {
    const text = this.#input.read(context);
    return text !== null && this.#matcher.matches(text);
  }
}

class RangeMatcher implements StringMatcher {
  readonly #ranges: CidrList;

  constructor(ranges: ConstructorParameters<typeof CidrList>[0]) {
    this.#ranges = new CidrList(ranges);
  }

  matches(text: string): boolean {
    return this.#ranges.contains(text);
  }
}
