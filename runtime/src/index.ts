// The package's door: the command line for launchers, the server for programs that embed it.
export { main } from "./cli/main.ts";
export type { ServerOptions } from "./server/options.ts";
