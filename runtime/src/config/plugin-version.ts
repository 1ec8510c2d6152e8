// A plugin's versions: their names, and the plugin as one of them runs it.
import type { CandidateConfig, WasmPluginConfig } from "./snapshot.ts";

/** Of 48 bits: two modules of one plugin do not meet by chance. */
const MODULE_DIGITS = 12;
/** Told apart are only configurations that were pushed with the same module. */
const CONFIGURATION_DIGITS = 4;

/**
 * The first digits of the module's sha256 (lower-case hex), the same in logs, stats, the admin
 * interface and headers. A configuration that came with the module adds its own:
 * "1f2e3d4c5b6a-9f8e".
 */
export function versionName(moduleSha256: string, configurationSha256: string | null): string {
  const module = moduleSha256.slice(0, MODULE_DIGITS);
  if (configurationSha256 === null) return module;
  return `${module}-${configurationSha256.slice(0, CONFIGURATION_DIGITS)}`;
}

/** The plugin as its own version runs it, or as a candidate does. */
export function asVersion(
  plugin: WasmPluginConfig,
  candidate: CandidateConfig | null = null,
): WasmPluginConfig {
  const { candidates: _others, ...own } = plugin;
  const version = candidate ?? plugin.version;
  if (version === undefined) return own;
  const refusal = candidate === null ? plugin.refusal : candidate.refusal;
  const pluginConfiguration = version.configuration ?? plugin.pluginConfiguration;
  return { ...own, version, moduleKey: version.moduleKey, pluginConfiguration, refusal };
}
