// The admin interface's commands as data: paths, methods, parameters, help. The texts are Envoy's.

export interface AdminParameter {
  readonly name: string;
  readonly help: string;
  /** "a, b" when only these values make sense, "" for free text. */
  readonly oneOf: string;
}

export interface AdminCommand {
  readonly path: string;
  readonly help: string;
  /** Changes something: only POST is allowed. */
  readonly mutates: boolean;
  readonly parameters: readonly AdminParameter[];
}

/** Sorted by path. */
export const adminCommands: readonly AdminCommand[] = [
  {
    path: "/",
    help: "Admin home page",
    mutates: false,
    parameters: [],
  },
  {
    path: "/allocprofiler",
    help: "enable/disable the allocation profiler (if supported)",
    mutates: true,
    parameters: [{ name: "enable", help: "enable/disable the allocation profiler", oneOf: "y, n" }],
  },
  {
    path: "/certs",
    help: "print certs on machine",
    mutates: false,
    parameters: [],
  },
  {
    path: "/clusters",
    help: "upstream cluster status",
    mutates: false,
    parameters: [
      {
        name: "filter",
        help: "Regular expression (Google re2) for filtering clusters by name",
        oneOf: "",
      },
    ],
  },
  {
    path: "/config_dump",
    help: "dump current Envoy configs",
    mutates: false,
    parameters: [
      { name: "resource", help: "The resource to dump", oneOf: "" },
      {
        name: "mask",
        help:
          "The mask to apply. When both resource and mask are specified, the " +
          "mask is applied to every element in the desired repeated field so " +
          "that only a subset of fields are returned. The mask is parsed as a " +
          "Protobuf::FieldMask",
        oneOf: "",
      },
      {
        name: "name_regex",
        help:
          "Dump only the currently loaded configurations whose names match the " +
          "specified regex. Can be used with both resource and mask query " +
          "parameters.",
        oneOf: "",
      },
      {
        name: "include_eds",
        help:
          "Dump currently loaded configuration including EDS. See the response " +
          "definition for more information",
        oneOf: "",
      },
    ],
  },
  {
    path: "/contention",
    help: "dump current Envoy mutex contention stats (if enabled)",
    mutates: false,
    parameters: [],
  },
  {
    path: "/cpuprofiler",
    help: "enable/disable the CPU profiler",
    mutates: true,
    parameters: [{ name: "enable", help: "enables the CPU profiler", oneOf: "y, n" }],
  },
  {
    path: "/drain_listeners",
    help: "drain listeners",
    mutates: true,
    parameters: [
      {
        name: "graceful",
        help:
          "When draining listeners, enter a graceful drain period prior to " +
          "closing listeners. This behaviour and duration is configurable via " +
          "server options or CLI",
        oneOf: "",
      },
      {
        name: "skip_exit",
        help:
          "When draining listeners, drain the connections but never stop the " +
          "listeners. The graceful parameter has no effect when this is set, " +
          "since the drain period only delays stopping the listeners",
        oneOf: "",
      },
      {
        name: "inboundonly",
        help:
          "Drains all inbound listeners. traffic_direction field in " +
          "envoy_v3_api_msg_config.listener.v3.Listener is used to determine " +
          "whether a listener is inbound or outbound.",
        oneOf: "",
      },
    ],
  },
  {
    path: "/healthcheck/fail",
    help: "cause the server to fail health checks",
    mutates: true,
    parameters: [],
  },
  {
    path: "/healthcheck/ok",
    help: "cause the server to pass health checks",
    mutates: true,
    parameters: [],
  },
  {
    path: "/heap_dump",
    help: "dump current Envoy heap (if supported)",
    mutates: false,
    parameters: [],
  },
  {
    path: "/heapprofiler",
    help: "enable/disable the heap profiler",
    mutates: true,
    parameters: [{ name: "enable", help: "enable/disable the heap profiler", oneOf: "y, n" }],
  },
  {
    path: "/help",
    help: "print out list of admin commands",
    mutates: false,
    parameters: [],
  },
  {
    path: "/hot_restart_version",
    help: "print the hot restart compatibility version",
    mutates: false,
    parameters: [],
  },
  {
    path: "/init_dump",
    help: "dump current Envoy init manager information (experimental)",
    mutates: false,
    parameters: [
      {
        name: "mask",
        help:
          "The desired component to dump unready targets. The mask is parsed as " +
          "a Protobuf::FieldMask. For example, get the unready targets of all " +
          "listeners with /init_dump?mask=listener`",
        oneOf: "",
      },
    ],
  },
  {
    path: "/listeners",
    help: "print listener info",
    mutates: false,
    parameters: [{ name: "format", help: "File format to use", oneOf: "text, json" }],
  },
  {
    path: "/logging",
    help: "query/change logging levels",
    mutates: true,
    parameters: [
      {
        name: "paths",
        help:
          "Change multiple logging levels by setting to " +
          "<logger_name1>:<desired_level1>,<logger_name2>:<desired_level2>. If " +
          "fine grain logging is enabled, use __FILE__ or a glob experision as " +
          "the logger name. For example, source/common*:warning",
        oneOf: "",
      },
      {
        name: "group",
        help:
          "Change given logger group to desired level, set to " +
          "<logger_group_name>:<desired_level>. logger_group_name must be a " +
          "logger name.",
        oneOf: "",
      },
      {
        name: "level",
        help: "desired logging level, this will change all loggers's level",
        oneOf: ", trace, debug, info, warning, error, critical, off",
      },
    ],
  },
  {
    path: "/memory",
    help: "print current allocation/heap usage",
    mutates: false,
    parameters: [],
  },
  {
    path: "/memory/tcmalloc",
    help: "print TCMalloc stats",
    mutates: false,
    parameters: [],
  },
  {
    path: "/peak_heap_dump",
    help: "dump peak Envoy heap (if supported)",
    mutates: false,
    parameters: [],
  },
  {
    path: "/quitquitquit",
    help: "exit the server",
    mutates: true,
    parameters: [],
  },
  {
    path: "/ready",
    help: "print server state, return 200 if LIVE, otherwise return 503",
    mutates: false,
    parameters: [],
  },
  {
    path: "/reopen_logs",
    help: "reopen access logs",
    mutates: true,
    parameters: [],
  },
  {
    path: "/reset_counters",
    help: "reset all counters to zero",
    mutates: true,
    parameters: [],
  },
  {
    path: "/runtime",
    help: "print runtime values",
    mutates: false,
    parameters: [],
  },
  {
    path: "/runtime_modify",
    help:
      "Adds or modifies runtime values as passed in query parameters. To " +
      "delete a previously added key, use an empty string as the value. Note " +
      "that deletion only applies to overrides added via this endpoint; " +
      "values loaded from disk can be modified via override but not deleted. " +
      "E.g. ?key1=value1&key2=value2...",
    mutates: true,
    parameters: [],
  },
  {
    path: "/server_info",
    help: "print server version/status information",
    mutates: false,
    parameters: [],
  },
  {
    path: "/stats",
    help: "print server stats",
    mutates: false,
    parameters: [
      {
        name: "usedonly",
        help: "Only include stats that have been written by system since restart",
        oneOf: "",
      },
      { name: "filter", help: "Regular expression (Google re2) for filtering stats", oneOf: "" },
      { name: "invert_filter", help: "Invert the filter regex", oneOf: "" },
      { name: "format", help: "Format to use", oneOf: "html, active-html, text, json" },
      {
        name: "type",
        help: "Stat types to include.",
        oneOf: "All, Counters, Histograms, Gauges, TextReadouts",
      },
      {
        name: "histogram_buckets",
        help: "Histogram bucket display mode",
        oneOf: "cumulative, disjoint, detailed, summary",
      },
    ],
  },
  {
    path: "/stats/prometheus",
    help: "print server stats in prometheus format",
    mutates: false,
    parameters: [
      {
        name: "usedonly",
        help: "Only include stats that have been written by system since restart",
        oneOf: "",
      },
      {
        name: "text_readouts",
        help:
          "Render text_readouts as new gaugues with value 0 (increases " + "Prometheus data size)",
        oneOf: "",
      },
      { name: "filter", help: "Regular expression (Google re2) for filtering stats", oneOf: "" },
      { name: "invert_filter", help: "Invert the filter regex", oneOf: "" },
      {
        name: "histogram_buckets",
        help: "Histogram bucket display mode",
        oneOf: "cumulative, summary",
      },
    ],
  },
  {
    path: "/stats/recentlookups",
    help: "Show recent stat-name lookups",
    mutates: false,
    parameters: [],
  },
  {
    path: "/stats/recentlookups/clear",
    help: "clear list of stat-name lookups and counter",
    mutates: true,
    parameters: [],
  },
  {
    path: "/stats/recentlookups/disable",
    help: "disable recording of reset stat-name lookup names",
    mutates: true,
    parameters: [],
  },
  {
    path: "/stats/recentlookups/enable",
    help: "enable recording of reset stat-name lookup names",
    mutates: true,
    parameters: [],
  },
];

/** Those that Envoy does not have. They stand on the home page; /help is Envoy's to the byte. */
export const ownCommands: readonly AdminCommand[] = [
  {
    path: "/wasm/costs",
    help: "print what wasm plugins have cost, by version and callback",
    mutates: false,
    parameters: [],
  },
  {
    path: "/wasm/plugins",
    help: "print wasm plugins, their versions, and what each has done",
    mutates: false,
    parameters: [],
  },
  {
    path: "/wasm/trace",
    help: "query/change whose calls are logged, of wasm plugins",
    mutates: true,
    parameters: [
      { name: "plugin", help: "Name of the plugin", oneOf: "" },
      { name: "every", help: "Only one stream in so many", oneOf: "" },
      {
        name: "header",
        help: "Only streams whose request has this header: <name> or <name>: <value>",
        oneOf: "",
      },
      { name: "off", help: "Log nothing more", oneOf: "" },
    ],
  },
];

/** The list of /help, which also follows "invalid path. ". */
export function helpText(): string {
  let out = "admin commands are:\n";
  for (const command of adminCommands) {
    out += `  ${command.path}${command.mutates ? " (POST)" : ""}: ${command.help}\n`;
    for (const { name, help, oneOf } of command.parameters) {
      out += `      ${name}: ${help}${oneOf === "" ? "" : `; One of (${oneOf})`}\n`;
    }
  }
  return out;
}
