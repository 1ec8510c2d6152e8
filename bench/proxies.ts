// Headgate and Envoy, each with one module or with none, for the benches of modules that others wrote.
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import type { FilterSetup } from "./configs.ts";
import { freePort, start, type Started } from "./processes.ts";
import { envoyLike, findEnvoy, findHeadgate, httpSetup } from "./target.ts";

export interface Proxy {
  readonly name: "headgate" | "envoy";
  readonly binary: string;
}

/** Starts a proxy with a module in front of the upstream; without one, the router alone. */
export async function startProxy(
  proxy: Proxy,
  file: string | undefined,
  wasm: FilterSetup,
  upstreamPort: number,
  parent: string,
  binding: readonly string[] = [],
): Promise<Started & { readonly port: number }> {
  const folder = mkdtempSync(join(parent, "proxy-"));
  const [port, adminPort] = [await freePort(), await freePort()];
  const setup = httpSetup(port, { adminPort, upstreamPort, folder, module: file ?? "" });
  const spec = envoyLike(
    proxy.name,
    proxy.binary,
    "",
    file === undefined ? { kind: "none" } : wasm,
  );
  return { ...(await start([...binding, ...spec.command(setup)], port)), port };
}

/** Those that are here; the others are named. */
export function foundProxies(): Proxy[] {
  const all = [
    { name: "headgate", binary: findHeadgate() },
    { name: "envoy", binary: findEnvoy() },
  ] as const;
  return all.flatMap(({ name, binary }) => {
    if (binary !== undefined) return [{ name, binary }];
    console.log(`SKIPPED ${name}: not found`);
    return [];
  });
}
