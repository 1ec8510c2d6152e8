// Cases of wasm filters that each have a site of their own, and a script for its guest.
import {
  type Case,
  type Connection,
  get,
  type JsonObject,
  one,
  type Reply,
  request,
  type Site,
} from "./case.ts";
import { chunked, PATIENT, TRAILER_HOSTS, WITH_TRAILERS } from "./chunks.ts";
import { scriptedChain, scriptedPlugin } from "./scripted-guest.ts";

/** A case with a site of its own, whose scripted guest runs its lines. */
export interface Scripted {
  readonly id: string;
  readonly title: string;
  readonly lines: readonly string[];
  /** Default: a GET. */
  readonly connections?: (site: string) => readonly Connection[];
  readonly replies?: readonly Reply[];
  /** Further fields of the PluginConfig. */
  readonly plugin?: JsonObject;
  readonly site?: Site;
}

/** A request of two chunks and a trailer. */
export const CHUNKS = (site: string): readonly Connection[] => [
  { site, send: chunked("/a", ["abc", "def"], { trailers: ["x-t: 1"] }) },
];
/**
 * Whoever is answered at the first chunk sends no second one: how far it came would be chance. The
 * upstream has the head by the time the chunk comes.
 */
export function firstChunk(
  site: string,
  path: string = "/a",
  lines: readonly string[] = [],
): readonly Connection[] {
  const head = request(`POST ${path} HTTP/1.1`, "Transfer-Encoding: chunked", ...lines);
  return [{ site, send: [head, { pauseMs: 500 }, "3\r\nabc\r\n"] }];
}

function siteName(scripted: Scripted): string {
  return scripted.id.replaceAll("-", "_");
}

function siteOf(scripted: Scripted): Site {
  const plugin = scriptedPlugin(siteName(scripted), scripted.lines, scripted.plugin);
  const hcm = { ...scriptedChain(plugin), ...WITH_TRAILERS, ...PATIENT };
  return { hcm, virtualHosts: TRAILER_HOSTS, ...scripted.site };
}

/** Plays what is scripted at its site. */
export function scriptedCase(scripted: Scripted): Case {
  const site = siteName(scripted);
  return {
    id: `wasm-${scripted.id}`,
    title: scripted.title,
    connections: scripted.connections?.(site) ?? one(get("/a"), site),
    ...(scripted.replies === undefined ? {} : { replies: scripted.replies }),
  };
}

/** A site for each, by name. */
export function scriptedSites(all: readonly Scripted[]): Readonly<Record<string, Site>> {
  return Object.fromEntries(all.map((each) => [siteName(each), siteOf(each)]));
}
