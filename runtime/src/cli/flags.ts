// The command line's flags as data: Envoy's, with what Headgate does with each, and our own.

export interface Flag {
  readonly name: string;
  readonly short?: string;
  readonly type: "string" | "uint" | "boolean";
  /** May be given several times. */
  readonly multiple?: boolean;
  /** Used: changes what Headgate does. Accepted: Envoy's, noted at debug level, without effect. */
  readonly status: "used" | "accepted" | "headgate";
  readonly help: string;
  /** Allowed values; others are refused. */
  readonly values?: readonly string[];
}

export const LOG_LEVELS: readonly string[] = [
  "trace",
  "debug",
  "info",
  "warning",
  "warn",
  "error",
  "critical",
  "off",
];

/** In the order of the help text. */
export const flags: readonly Flag[] = [
  {
    name: "config-path",
    short: "c",
    type: "string",
    status: "used",
    help: "path to the bootstrap configuration (YAML or JSON)",
  },
  {
    name: "config-yaml",
    type: "string",
    status: "used",
    help: "inline YAML, merged over the contents of --config-path",
  },
  {
    name: "mode",
    type: "string",
    status: "used",
    values: ["serve", "validate", "init_only"],
    help: "serve (default), validate the configuration and exit, or init_only: start, then exit",
  },
  {
    name: "concurrency",
    type: "uint",
    status: "used",
    help: "number of worker threads; default: the machine's processors",
  },
  {
    name: "log-level",
    short: "l",
    type: "string",
    status: "used",
    values: LOG_LEVELS,
    help: "log level, default info: trace, debug, info, warning, error, critical, off",
  },
  {
    name: "component-log-level",
    type: "string",
    status: "used",
    help: "levels of single components, for example upstream:debug,config:trace",
  },
  {
    name: "log-format",
    type: "string",
    status: "used",
    help: 'log line in spdlog syntax, default "[%Y-%m-%d %T.%e][%t][%l][%n] %v"',
  },
  {
    name: "log-path",
    type: "string",
    status: "used",
    help: "file the log is appended to; default: standard error",
  },
  {
    name: "admin-address-path",
    type: "string",
    status: "used",
    help: "file that the admin interface's address is written to",
  },
  {
    name: "base-id",
    type: "uint",
    status: "used",
    help: "names the service on this host; given, a process that runs under it is taken over",
  },
  {
    name: "use-dynamic-base-id",
    type: "boolean",
    status: "used",
    help: "a base id that nobody has; --base-id-path tells it",
  },
  {
    name: "restart-epoch",
    type: "uint",
    status: "used",
    help: "above 0: take over from the process of the same base id, which must be there",
  },
  {
    name: "skip-hot-restart-on-no-parent",
    type: "boolean",
    status: "used",
    help: "with --restart-epoch: start also when there is no process to take over from",
  },
  {
    name: "parent-shutdown-time-s",
    type: "uint",
    status: "used",
    help: "seconds until the process that was taken over ends at the latest, default 900",
  },
  {
    name: "disable-hot-restart",
    type: "boolean",
    status: "used",
    help: "neither take over nor be taken over",
  },
  {
    name: "socket-path",
    type: "string",
    status: "used",
    help: "where processes of a base id meet; default: a folder of this user; @ = abstract",
  },
  {
    name: "socket-mode",
    type: "string",
    status: "used",
    help: "octal mode of that socket, default 600",
  },
  {
    name: "base-id-path",
    type: "string",
    status: "used",
    help: "file that the base id is written to",
  },
  {
    name: "drain-time-s",
    type: "uint",
    status: "used",
    help: "seconds of the drain sequence, default 600",
  },
  {
    name: "drain-strategy",
    type: "string",
    status: "used",
    values: ["gradual", "immediate"],
    help: "gradual (default) or immediate",
  },
  {
    name: "file-flush-interval-msec",
    type: "uint",
    status: "used",
    help: "milliseconds between flushes of access logs, default 10000",
  },
  { name: "service-node", type: "string", status: "used", help: "node id" },
  { name: "service-cluster", type: "string", status: "used", help: "node cluster" },
  { name: "service-zone", type: "string", status: "used", help: "node locality zone" },
  {
    name: "allow-unknown-static-fields",
    type: "boolean",
    status: "used",
    help: "unknown fields in the static configuration are warnings",
  },
  {
    name: "allow-unknown-fields",
    type: "boolean",
    status: "used",
    help: "old name of --allow-unknown-static-fields",
  },
  {
    name: "reject-unknown-dynamic-fields",
    type: "boolean",
    status: "used",
    help: "unknown fields in resources of xDS are errors, not warnings",
  },
  {
    name: "hot-restart-version",
    type: "boolean",
    status: "used",
    help: "prints the hot restart compatibility version (disabled) and exits",
  },
  { name: "version", type: "boolean", status: "used", help: "prints the version and exits" },
  { name: "help", short: "h", type: "boolean", status: "used", help: "prints this text and exits" },
  accepted("ignore-unknown-dynamic-fields", "boolean"),
  accepted("file-flush-min-size-kb", "uint"),
  accepted("skip-deprecated-logs", "boolean"),
  accepted("log-format-escaped", "boolean"),
  accepted("log-stacktrace-single-entry", "boolean"),
  accepted("enable-fine-grain-logging", "boolean"),
  accepted("local-address-ip-version", "string"),
  accepted("skip-hot-restart-parent-stats", "boolean"),
  accepted("disable-extensions", "string"),
  accepted("enable-mutex-tracing", "boolean"),
  accepted("cpuset-threads", "boolean"),
  accepted("enable-core-dump", "boolean"),
  { ...accepted("stats-tag", "string"), multiple: true },
  {
    name: "ignore-unsupported",
    type: "boolean",
    status: "headgate",
    help: "valid Envoy configuration that Headgate does not implement is a warning, not an error",
  },
  {
    name: "wasm-struct-as-json",
    type: "boolean",
    status: "headgate",
    help: "wasm configurations of type Struct reach guests as JSON text, not as Envoy's message",
  },
  {
    name: "wasm-lenient-imports",
    type: "boolean",
    status: "headgate",
    help: "hostcalls and WASI functions that nobody knows answer that they are not there",
  },
  {
    name: "watch-config",
    type: "boolean",
    status: "headgate",
    help: "reload the configuration when the file of --config-path has changed, as SIGHUP does",
  },
  {
    name: "watch-modules",
    type: "boolean",
    status: "headgate",
    help: "load plugins' local .wasm files again when they have changed",
  },
  {
    name: "network-engine",
    type: "string",
    status: "headgate",
    values: ["auto", "node", "io_uring"],
    help: "what carries bytes in workers: auto (default; io_uring if there is one), node, io_uring",
  },
  {
    name: "wasm-push",
    type: "string",
    status: "headgate",
    values: ["off", "local", "any"],
    help: "who may change plugins by the admin interface: local (default, loopback), off, any",
  },
  {
    name: "wasm-push-token-file",
    type: "string",
    status: "headgate",
    help: "file with the token that who changes plugins must show; default: none",
  },
  {
    name: "wasm-policy",
    type: "string",
    status: "headgate",
    help: "YAML file that says what wasm plugins may use: fuel, memory, limits",
  },
  {
    name: "wasm-trace",
    type: "string",
    status: "headgate",
    help: "name of a wasm plugin whose callbacks and hostcalls are logged at info",
  },
  {
    name: "wasm-trace-every",
    type: "uint",
    status: "headgate",
    help: "with --wasm-trace: only of one stream in so many, default 1",
  },
  {
    name: "wasm-trace-header",
    type: "string",
    status: "headgate",
    help: "with --wasm-trace: only of streams whose request has this header: NAME or NAME: VALUE",
  },
  {
    name: "sigterm-drain-s",
    type: "uint",
    status: "headgate",
    help: "seconds that streams in flight get after SIGTERM or SIGINT, default 10",
  },
  {
    name: "worker-stuck-kill-s",
    type: "uint",
    status: "headgate",
    help: "seconds after which a worker that is stuck is replaced, default 10; 0 = never",
  },
];

function accepted(name: string, type: Flag["type"]): Flag {
  return { name, type, status: "accepted", help: "accepted for compatibility, without effect" };
}
