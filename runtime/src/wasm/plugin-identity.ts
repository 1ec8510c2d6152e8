// Who a plugin is, as guests, logs and properties are told; made once per plugin.
import type { WasmPluginConfig } from "../config/snapshot.ts";
import { pluginMark } from "./guest-mark.ts";
import { VersionCounts } from "./version-counts.ts";

export class PluginIdentity {
  readonly name: string;
  readonly rootId: string;
  readonly vmId: string;
  /** The short name of module and configuration; "" = it was given none. */
  readonly version: string;
  /** Response header that names plugin and version; "" = none does. */
  readonly versionHeader: string;
  /** What it says. */
  readonly versionText: string;
  /** What this version does in this thread. */
  readonly counts: VersionCounts;
  /** Of the name, for the watchdog. */
  readonly mark: number;
  /** Bytes of on_configure. */
  readonly configuration: Uint8Array;
  /** Header answer 1 holds the headers only, body callbacks go on. */
  readonly allowOnHeadersStopIteration: boolean;
  /** The deprecated `fail_open: true`: lets the stream pass that trapped. */
  readonly failOpenLegacy: boolean;
  /** "name root_id vm_id" without what is empty, as Envoy prints it before a guest's message. */
  readonly logPrefix: string;
  /** The same for messages of the root context: without the name. */
  readonly rootLogPrefix: string;

  /** `thread`: whose row of the counts. */
  constructor(config: WasmPluginConfig, thread: number) {
    this.name = config.name;
    this.rootId = config.rootId;
    this.vmId = config.vmId;
    this.version = config.version?.name ?? "";
    this.versionHeader = this.version === "" ? "" : config.policy.versionHeader;
    this.versionText = `${config.name}=${this.version}`;
    this.counts = new VersionCounts(config.version?.counts ?? null, thread);
    this.mark = pluginMark(config.name);
    this.configuration = config.pluginConfiguration;
    this.allowOnHeadersStopIteration = config.allowOnHeadersStopIteration;
    this.failOpenLegacy = config.failOpenLegacy;
    this.rootLogPrefix = joined([config.rootId, config.vmId]);
    this.logPrefix = joined([config.name, config.rootId, config.vmId]);
  }
}

function joined(parts: readonly string[]): string {
  return parts.filter((part) => part !== "").join(" ");
}
