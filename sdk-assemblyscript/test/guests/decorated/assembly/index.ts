// A decorated filter with a field of every kind; what it was configured with goes to the log.
import { Action, HttpFilter, log, Plugin, RequestHeaders } from "@headgate/sdk-assemblyscript";
import { Limits } from "./limits";

/** A condition on a path. */
@config
class Rule {
  @required prefix: string;
  @oneOf("allow", "deny") mode: string = "deny";
}

@config
abstract class Target {
  weight: u32 = 1;
}

@config("cluster")
class ClusterTarget extends Target {
  @required @minLength(2) name: string;
}

@config("redirect")
class RedirectTarget extends Target {
  @oneOf(301, 302, 307) status: i32 = 302;
  hosts: string[] = [];
}

@config
class Config extends Limits {
  @required
  @minLength(1)
  name: string;
  on: bool = true;
  small: i8 = -1;
  byte: u8 = 255;
  whole: i32 = -7;
  wide: i64 = i64.MIN_VALUE;
  big: u64 = 18446744073709551615;
  /** Between nothing and all. */
  @range(0, 1) ratio: f64 = 0.5;
  single: f32 = 0.25;
  @key("kebab-case") renamed: string = "";
  @pattern("^[a-z0-9]+([.-][a-z0-9]+)*$") host: string = "h";
  @pattern("^v[0-9]") @minLength(1) versions: string[] = ["v1"];
  @pattern("^/a\\.") starts: string = "/a.";
  @pattern("\\.b$") ends: string = ".b";
  @pattern("^c c$") equals: string = "c c";
  @pattern("d-d") @minLength(4) holds: string = "d-dd";
  @secret @range(1000, 9999) pin: u32 = 1234;
  @secret @minLength(4) password: string = "none";
  rules: Rule[] = [];
  @oneOf("GET", "HEAD", "POST") methods: string[] = ["GET"];
  @minLength(1) matrix: i32[][] = [[1]];
  labels: Map<string, string> = new Map();
  byHost: Map<string, Rule[]> = new Map();
  fallback: Rule | null = null;
  nested: Rule = new Rule();
  target: Target | null = null;
  targets: Target[] = [];

  /** Not of the configuration. */
  private derived: string = "derived";

  validate(): string | null {
    return this.name == this.renamed ? "name and kebab-case must differ" : null;
  }

  describe(): string {
    let text = this.name + "|" + this.on.toString() + "|" + this.small.toString();
    text += "|" + this.byte.toString() + "|" + this.whole.toString() + "|" + this.wide.toString();
    text += "|" + this.big.toString() + "|" + this.ratio.toString() + "|" + this.single.toString();
    text += "|" + this.renamed + "|" + this.pin.toString() + "|" + this.password;
    for (let i = 0; i < this.rules.length; i++) text += "|" + describeRule(this.rules[i]);
    text += "|" + this.methods.join(",");
    for (let i = 0; i < this.matrix.length; i++) text += "|" + this.matrix[i].join(",");
    const labels = this.labels.keys();
    for (let i = 0; i < labels.length; i++) {
      text += "|" + labels[i] + "=" + this.labels.get(labels[i]);
    }
    const hosts = this.byHost.keys();
    for (let i = 0; i < hosts.length; i++) {
      const rules = this.byHost.get(hosts[i]);
      for (let j = 0; j < rules.length; j++) text += "|" + hosts[i] + ":" + describeRule(rules[j]);
    }
    const fallback = this.fallback;
    if (fallback !== null) text += "|" + describeRule(fallback);
    const target = this.target;
    if (target !== null) text += "|" + describeTarget(target);
    for (let i = 0; i < this.targets.length; i++) text += "|" + describeTarget(this.targets[i]);
    text += "|" + this.host + "|" + this.versions.join(",");
    text += "|" + this.wait.toString() + "|" + this.bytesMax.toString() + "|" + this.derived;
    return text;
  }
}

function describeRule(rule: Rule): string {
  return rule.mode + " " + rule.prefix;
}

function describeTarget(target: Target): string {
  if (target instanceof ClusterTarget) {
    const cluster = target as ClusterTarget;
    return "cluster " + cluster.name + " " + cluster.weight.toString();
  }
  const redirect = target as RedirectTarget;
  return "redirect " + redirect.status.toString() + " " + redirect.hosts.join(",");
}

@plugin
class DecoratedPlugin extends Plugin<Config> {
  override onConfigured(config: Config): void {
    log.info(config.describe());
  }
}

@filter("decorated")
class Decorated extends HttpFilter<Config> {
  override onRequestHeaders(headers: RequestHeaders, endOfStream: bool): Action {
    headers.set("x-name", this.config.name);
    return Action.Continue;
  }
}
