// Types of upstream.mjs, for the test.
import type { Server } from "node:http";

export function startUpstream(port: number): Promise<Server>;
