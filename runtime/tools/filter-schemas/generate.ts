// Writes config.schema.json of the filters that serve Envoy's messages, from these messages and
// filter.json: `npx node runtime/tools/filter-schemas/generate.ts`. A test finds what is not fresh.
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type CatalogueFilter, FilterCatalogue } from "../../src/config/filter-catalogue.ts";
import { Schema } from "../../src/config/schema.ts";
import { type JsonSchema, MessageSchemas } from "./message-schema.ts";

/** What a module gets, as catalogue-filter-reader.ts hands it over. */
export function filterSchema(schema: Schema, filter: CatalogueFilter): JsonSchema {
  const { name, config, routeConfig, dataSources } = filter;
  const schemas = new MessageSchemas(schema);
  const differences = { leftOut: Object.keys(filter.unimplemented), dataSources };
  const level = routeConfig === "" ? false : schemas.reference(routeConfig, differences);
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: name,
    type: "object",
    properties: {
      filter: {
        description: `${config}, of the chain`,
        ...schemas.reference(config, differences),
      },
      levels: {
        description: "What routes say, the route table's first, the innermost last.",
        type: "array",
        items: level,
        ...(filter.levels === "all" ? {} : { maxItems: 1 }),
      },
    },
    required: ["filter", "levels"],
    additionalProperties: false,
    $defs: schemas.definitions,
  };
}

export interface SchemaFile {
  readonly path: string;
  readonly text: string;
}

/** Every file with the text that it should have. */
export function renderSchemas(): readonly SchemaFile[] {
  const schema = Schema.open();
  return FilterCatalogue.installed().filters.map((filter) => ({
    path: join(dirname(filter.modulePath), "..", "config.schema.json"),
    text: `${JSON.stringify(filterSchema(schema, filter), null, 2)}\n`,
  }));
}

if (import.meta.main) {
  for (const { path, text } of renderSchemas()) writeFileSync(path, text);
}
