// Reads how a cluster balances: lb_policy with its options, or load_balancing_policy.
import type { ConfigNode } from "../config-node.ts";
import type { ClusterConfig } from "../snapshot.ts";
import type { Translation } from "./translation.ts";

const LB = "envoy.extensions.load_balancing_policies";

type Balancing = Pick<
  ClusterConfig,
  "lbPolicy" | "leastRequestChoiceCount" | "leastRequestActiveBias" | "leastRequestActiveBiasKey"
>;

const legacyPolicies: Readonly<Record<string, ClusterConfig["lbPolicy"]>> = {
  ROUND_ROBIN: "round_robin",
  LEAST_REQUEST: "least_request",
  RANDOM: "random",
};

const policyExtensions: Readonly<Record<string, ClusterConfig["lbPolicy"]>> = {
  [`${LB}.round_robin.v3.RoundRobin`]: "round_robin",
  [`${LB}.least_request.v3.LeastRequest`]: "least_request",
  [`${LB}.random.v3.Random`]: "random",
};

export function readBalancing(
  t: Translation,
  node: ConfigNode,
  discovery: ClusterConfig["discovery"],
): Balancing {
  if (discovery === "original_dst") return readProvided(t, node);
  const policy = node.node("load_balancing_policy");
  if (policy !== undefined) {
    const reason = "load_balancing_policy wins";
    node.accept("lb_policy", reason);
    node.accept("least_request_lb_config", reason);
    node.accept("round_robin_lb_config", reason);
    return readPolicyExtension(t, node, policy);
  }
  const name = node.enum("lb_policy");
  const lbPolicy = legacyPolicies[name];
  if (name === "CLUSTER_PROVIDED") {
    const message = "found CLUSTER_PROVIDED, expected it with cluster type ORIGINAL_DST only";
    t.wrong(node, message, "lb_policy");
  } else if (lbPolicy === undefined) t.unsupported(node, `lb_policy ${name}`, "lb_policy");
  // The options of another policy than the one chosen have no effect, as in Envoy. What stands in
  // round_robin_lb_config is reported by name.
  node.node("round_robin_lb_config");
  const options = readLeastRequest(t, node.node("least_request_lb_config"));
  return { lbPolicy: lbPolicy ?? "round_robin", ...options };
}

/** ORIGINAL_DST finds its hosts: there is nothing to balance. */
function readProvided(t: Translation, node: ConfigNode): Balancing {
  const policy = node.enum("lb_policy");
  const isExtension = node.has("load_balancing_policy");
  const reason = "reported as a whole";
  node.accept("load_balancing_policy", reason);
  if (policy !== "CLUSTER_PROVIDED" || isExtension) {
    const found = isExtension ? "load_balancing_policy" : policy;
    const message = `found ${found}, expected CLUSTER_PROVIDED with cluster type ORIGINAL_DST`;
    t.wrong(node, message, isExtension ? "load_balancing_policy" : "lb_policy");
  }
  return { lbPolicy: "round_robin", ...readLeastRequest(t, undefined) };
}

/** The first policy of the list that is implemented counts, as in Envoy. */
function readPolicyExtension(t: Translation, node: ConfigNode, policy: ConfigNode): Balancing {
  let result: Balancing | null = null;
  let unknown = "";
  for (const entry of policy.nodes("policies")) {
    const extension = entry.node("typed_extension_config");
    extension?.accept("name", "only a label");
    const typed = extension?.any("typed_config");
    const lbPolicy = typed === undefined ? undefined : policyExtensions[typed.typeName];
    if (typed === undefined || lbPolicy === undefined || result !== null) {
      unknown ||= typed?.typeName ?? "";
      typed?.acceptRest("another policy of the list is used");
      continue;
    }
    const options = readLeastRequest(t, lbPolicy === "least_request" ? typed : undefined);
    result = { lbPolicy, ...options };
  }
  if (result !== null) return result;
  if (unknown === "") t.wrong(node, "expected a policy", "load_balancing_policy");
  else t.unsupported(node, `the load balancing policy ${unknown}`, "load_balancing_policy");
  return { lbPolicy: "round_robin", ...readLeastRequest(t, undefined) };
}

function readLeastRequest(
  t: Translation,
  node: ConfigNode | undefined,
): Omit<Balancing, "lbPolicy"> {
  const bias = node?.node("active_request_bias");
  const isExtension = node?.typeName.endsWith(".LeastRequest") === true;
  if (isExtension && node.enum("selection_method") === "FULL_SCAN") {
    t.unsupported(node, "selection_method FULL_SCAN", "selection_method");
  }
  return {
    leastRequestChoiceCount: node?.uint("choice_count") ?? 2,
    leastRequestActiveBias: bias?.double("default_value") ?? 1,
    leastRequestActiveBiasKey: bias?.string("runtime_key") ?? "",
  };
}
