// The filters that come with Headgate: which of Envoy's messages each serves, and where its module
// is. Folders with a filter.json: filters/ of the repository, filters/ beside the bundle.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** One filter of ours, as its filter.json says. */
export interface CatalogueFilter {
  /** Envoy's name for it, `envoy.filters.http.cors`. */
  readonly name: string;
  /** The message of a chain that it serves, `envoy.extensions.filters.http.cors.v3.Cors`. */
  readonly config: string;
  /** The message of typed_per_filter_config; "" = it has none. */
  readonly routeConfig: string;
  /**
   * Which of a route's configurations it gets: the most specific one, or all of them, from the
   * route table to the weighted cluster.
   */
  readonly levels: "most_specific" | "all";
  /** Routes that redirect or answer by themselves have no configuration of it, as in Envoy. */
  readonly forwardedOnly: boolean;
  /** Whether it may stand behind the router. */
  readonly isUpstream: boolean;
  /** Fields of type DataSource; the guest gets their content as an inline_string. */
  readonly dataSources: readonly string[];
  /** Paths of fields (`a.b`, `list[].c`) that the filter does not serve, and what is lost. */
  readonly unimplemented: Readonly<Record<string, string>>;
  /** Its module. It may be missing where filters are built from source. */
  readonly modulePath: string;
}

/** In the bundle, and in the sources. */
const PLACES = ["./filters/", "../../../filters/"] as const;

export class FilterCatalogue {
  readonly #byConfig: ReadonlyMap<string, CatalogueFilter>;

  constructor(filters: readonly CatalogueFilter[]) {
    this.#byConfig = new Map(filters.map((filter) => [filter.config, filter]));
  }

  /** What is installed beside this program. Empty where nothing is. */
  static installed(): FilterCatalogue {
    const folders = PLACES.map((place) => fileURLToPath(new URL(place, import.meta.url)));
    const folder = folders.find((path) => existsSync(path));
    return new FilterCatalogue(folder === undefined ? [] : readFolder(folder));
  }

  /** By the type of a chain's `typed_config`. */
  find(typeName: string): CatalogueFilter | undefined {
    return this.#byConfig.get(typeName);
  }

  get filters(): readonly CatalogueFilter[] {
    return [...this.#byConfig.values()];
  }
}

function readFolder(folder: string): CatalogueFilter[] {
  const names = readdirSync(folder).filter((name) => existsSync(join(folder, name, "filter.json")));
  return names.map((name) => readFilter(folder, name));
}

type FilterFile = Partial<Omit<CatalogueFilter, "modulePath">> & { readonly name: string };

function readFilter(folder: string, name: string): CatalogueFilter {
  const file = JSON.parse(readFileSync(join(folder, name, "filter.json"), "utf8")) as FilterFile;
  const { config = "", routeConfig = "", levels = "most_specific" } = file;
  const { isUpstream = false, forwardedOnly = false, dataSources = [], unimplemented = {} } = file;
  const modulePath = join(folder, name, "build", `${name}.wasm`);
  const messages = { name: file.name, config, routeConfig, levels };
  return { ...messages, forwardedOnly, isUpstream, dataSources, unimplemented, modulePath };
}
