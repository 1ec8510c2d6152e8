// What is to serve in the place of configured modules, because somebody pushed it or went back to
// it: plain data, and how one state of it follows from another. Used by plugin-rollouts.ts.
import { createHash } from "node:crypto";
import type { ShareConfig } from "../config/snapshot.ts";
import { versionName } from "../config/plugin-version.ts";

/** A version as the main thread keeps it: enough to serve it again. */
export interface StoredVersion {
  readonly name: string;
  /** Of the module, lower-case hex. */
  readonly sha256: string;
  readonly bytes: Uint8Array;
  /** Bytes for on_configure that came with it; null = the plugin's own. */
  readonly configuration: Uint8Array | null;
  /** As PluginVersionConfig has it. */
  readonly space: string;
  /** Where the module came from, as logs name it. */
  readonly source: string;
}

/** A version that is tried: on some streams, or in the shadow of the one that serves them. */
export interface TriedVersion {
  readonly role: "canary" | "shadow";
  readonly version: StoredVersion;
  readonly share: ShareConfig;
  /** Of a canary: it becomes the primary when its window has passed well. */
  readonly isPromoted: boolean;
}

/** For the plugins of one name. */
export interface Rollout {
  /**
   * Digest of the configured module when this was asked for: another one ends it, because who
   * changes the configuration has the last word. "" = there was none yet.
   */
  readonly configured: string;
  /** Null = the configured module. */
  readonly primary: StoredVersion | null;
  /** Null = none. */
  readonly tried: TriedVersion | null;
}

/** By the plugins' names. */
export type Rollouts = ReadonlyMap<string, Rollout>;

export function storedVersion(
  bytes: Uint8Array,
  configuration: Uint8Array | null,
  source: string,
  space = "",
): StoredVersion {
  const sha256 = digestOf(bytes);
  const name = versionName(sha256, configuration === null ? null : digestOf(configuration));
  return { name, sha256, bytes, configuration, space, source };
}

/** The same rollouts, with another one for that name; one that changes nothing is left out. */
export function withRollout(rollouts: Rollouts, plugin: string, rollout: Rollout): Rollouts {
  const next = new Map(rollouts);
  if (rollout.primary === null && rollout.tried === null) next.delete(plugin);
  else next.set(plugin, rollout);
  return next;
}

/** Whether the configured module is another one than the rollout was asked over. */
export function isOver({ configured }: Rollout, sha256: string): boolean {
  return configured !== "" && sha256 !== "" && configured !== sha256;
}

function digestOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
