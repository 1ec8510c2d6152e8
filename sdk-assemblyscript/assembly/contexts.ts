// The contexts that live, by the host's number for them. Filled by registry.ts.
import { IdTable } from "./id-table";

export const contexts: IdTable = changetype<IdTable>(memory.data(12, 4));
