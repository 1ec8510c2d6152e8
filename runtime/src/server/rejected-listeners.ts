// Listeners of the last LDS response that was rejected, for /config_dump: operators look there for
// the reason. Filled by config-updates.ts.
import type { ConfigNode } from "../config/config-node.ts";
import type { LoadedDiscovery } from "../config/discovery-loader.ts";

export interface RejectedListener {
  readonly name: string;
  readonly node: ConfigNode;
  readonly versionInfo: string;
  /** ISO 8601. */
  readonly lastUpdateAttempt: string;
  readonly details: string;
}

export class RejectedListeners {
  #list: readonly RejectedListener[];

  constructor() {
    this.#list = [];
  }

  get list(): readonly RejectedListener[] {
    return this.#list;
  }

  /** `problems` name the resources they are about: "lds.resources[0]". None: all is well. */
  set(discovery: LoadedDiscovery, problems: readonly string[]): void {
    const lastUpdateAttempt = new Date().toISOString();
    const { versionInfo } = discovery;
    this.#list = discovery.resources.flatMap((node): RejectedListener[] => {
      const details = problems.filter((problem) => isAbout(problem, node.path)).join("\n");
      if (details === "") return [];
      const name = node.string("name", "");
      return [{ name, node, versionInfo, lastUpdateAttempt, details }];
    });
  }
}

function isAbout(problem: string, path: string): boolean {
  const at = problem.indexOf(path);
  return at >= 0 && /^[:.]/.test(problem.slice(at + path.length));
}
