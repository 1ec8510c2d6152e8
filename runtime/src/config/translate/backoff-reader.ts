// Reads envoy.config.core.v3.BackoffStrategy.
import type { ConfigNode } from "../config-node.ts";
import type { BackOffConfig } from "../snapshot.ts";
import { durationOr } from "./translation.ts";
import type { Translation } from "./translation.ts";

/** Envoy's maximum is ten times the base when none is given. */
const MAX_FACTOR = 10;

/** `baseDefaultMs`: where there is no strategy. */
export function readBackOff(
  t: Translation,
  node: ConfigNode | undefined,
  baseDefaultMs: number,
): BackOffConfig {
  const baseMs = durationOr(node, "base_interval", baseDefaultMs);
  const maxMs = durationOr(node, "max_interval", baseMs * MAX_FACTOR);
  if (node !== undefined && maxMs < baseMs) {
    t.wrong(node, `found ${maxMs} ms, expected at least base_interval`, "max_interval");
  }
  return { baseMs, maxMs };
}
