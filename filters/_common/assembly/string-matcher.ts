// envoy.type.matcher.v3.StringMatcher, as it comes in JSON.
import { asciiLower, ConfigArray, ConfigObject } from "@headgate/sdk-assemblyscript";
import { Regex, regexProblem } from "@headgate/sdk-assemblyscript/kit/regex";

enum Kind {
  Exact,
  Prefix,
  Suffix,
  Contains,
  Regex,
}

export class StringMatcher {
  private constructor(
    private readonly kind: Kind,
    private readonly text: string,
    private readonly ignoresCase: bool,
    private readonly regex: Regex | null,
  ) {}

  /** Nothing set, or something wrong, is an error of the configuration. */
  static read(config: ConfigObject): StringMatcher {
    // A regular expression keeps to its own case.
    const ignoresCase = config.bool("ignore_case");
    if (config.has("exact")) return StringMatcher.plain(Kind.Exact, config.string("exact"), ignoresCase);
    if (config.has("prefix")) return StringMatcher.plain(Kind.Prefix, config.string("prefix"), ignoresCase);
    if (config.has("suffix")) return StringMatcher.plain(Kind.Suffix, config.string("suffix"), ignoresCase);
    if (config.has("contains")) {
      return StringMatcher.plain(Kind.Contains, config.string("contains"), ignoresCase);
    }
    const pattern = config.object("safe_regex");
    if (pattern === null) {
      config.fail("safe_regex", "expected exact, prefix, suffix, contains or safe_regex");
      return StringMatcher.plain(Kind.Exact, "", false);
    }
    pattern.object("google_re2");
    const text = pattern.string("regex");
    const regex = Regex.compile(text);
    if (regex === null) pattern.fail("regex", regexProblem());
    return new StringMatcher(Kind.Regex, text, false, regex);
  }

  private static plain(kind: Kind, text: string, ignoresCase: bool): StringMatcher {
    return new StringMatcher(kind, ignoresCase ? asciiLower(text) : text, ignoresCase, null);
  }

  matches(value: string): bool {
    if (this.kind == Kind.Regex) {
      const regex = this.regex;
      return regex !== null && regex.matches(value);
    }
    const found = this.ignoresCase ? asciiLower(value) : value;
    if (this.kind == Kind.Exact) return found == this.text;
    if (this.kind == Kind.Prefix) return found.startsWith(this.text);
    if (this.kind == Kind.Suffix) return found.endsWith(this.text);
    return found.includes(this.text);
  }
}

/** A list of them; null = the field is not set. */
export function readStringMatchers(list: ConfigArray | null): StringMatcher[] {
  const matchers: StringMatcher[] = [];
  if (list === null) return matchers;
  for (let i = 0; i < list.length; i++) {
    const item = list.object(i);
    if (item !== null) matchers.push(StringMatcher.read(item));
  }
  return matchers;
}
