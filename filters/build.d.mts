// Types of build.mjs, for tests.
import type { BuildOptions, BuiltFilter } from "../sdk-assemblyscript/build.d.mts";

export function buildFilter(folder: string, options?: BuildOptions): Promise<BuiltFilter>;
export function findFilters(): string[];
