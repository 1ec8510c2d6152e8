// Which handler answers which path; the small ones stand here.
import { PrometheusWriter, ProcessMetrics } from "../stats/prometheus.ts";
import { adminCommands, helpText } from "./admin-commands.ts";
import type { AdminDelegate } from "./admin-delegate.ts";
import { jsonResponse, parameter, textResponse } from "./admin-request.ts";
import type { AdminRequest, AdminResponse } from "./admin-request.ts";
import { clusters, listeners } from "./cluster-handlers.ts";
import { configDump } from "./config-dump.ts";
import { homePage } from "./home-page.ts";
import { logging } from "./logging-handler.ts";
import { runtimeModify, runtimePage } from "./runtime-handlers.ts";
import { recentLookups, StatsPages } from "./stats-handlers.ts";
import { wasmPage } from "./wasm-handlers.ts";

type Handler = (request: AdminRequest) => AdminResponse | Promise<AdminResponse>;

export class AdminHandlers {
  readonly #handlers: ReadonlyMap<string, Handler>;
  readonly #mutating: ReadonlySet<string>;
  readonly #delegate: AdminDelegate;

  constructor(delegate: AdminDelegate) {
    this.#delegate = delegate;
    this.#handlers = new Map(Object.entries(handlersOf(delegate)));
    this.#mutating = new Set(adminCommands.filter((c) => c.mutates).map((c) => c.path));
  }

  /** Paths that are answered, for the check that the table of commands is served as a whole. */
  get paths(): string[] {
    return [...this.#handlers.keys()].sort();
  }

  handle(request: AdminRequest): AdminResponse | Promise<AdminResponse> {
    const handler = this.#handlers.get(request.path);
    if (handler === undefined) {
      const page = wasmPage(request, this.#delegate);
      return page ?? textResponse(`invalid path. ${helpText()}`, 404);
    }
    if (request.method !== "POST" && this.#mutating.has(request.path)) {
      return textResponse(`Method ${request.method} not allowed, POST required.`, 405);
    }
    return handler(request);
  }
}

function handlersOf(delegate: AdminDelegate): Readonly<Record<string, Handler>> {
  const stats = new StatsPages(delegate, new PrometheusWriter(), new ProcessMetrics());
  return {
    ...actions(delegate),
    ...profilers,
    "/": () => homePage(delegate),
    "/help": () => textResponse(helpText()),
    "/ready": () => {
      const state = delegate.state();
      return textResponse(`${state}\n`, state === "LIVE" ? 200 : 503);
    },
    "/server_info": () => jsonResponse(delegate.serverInfo()),
    "/stats": (request) => stats.stats(request),
    "/stats/prometheus": (request) => stats.prometheus(request),
    "/stats/recentlookups": recentLookups,
    "/stats/recentlookups/clear": ok,
    "/stats/recentlookups/disable": ok,
    "/stats/recentlookups/enable": () => textResponse("Lookup tracking is not supported\n", 501),
    "/clusters": (request) => clusters(request, delegate),
    "/listeners": (request) => listeners(request, delegate),
    "/config_dump": (request) => configDump(request, delegate),
    "/logging": (request) => logging(request, delegate),
    "/memory": memory,
    "/runtime": () => runtimePage(delegate),
    "/runtime_modify": (request) => runtimeModify(request, delegate),
    "/certs": () => jsonResponse({ certificates: delegate.certificates() }),
    "/init_dump": () => jsonResponse({}),
    "/hot_restart_version": () => textResponse("disabled"),
  };
}

/** Commands that change the process. */
function actions(delegate: AdminDelegate): Readonly<Record<string, Handler>> {
  return {
    "/reset_counters": () => {
      delegate.resetCounters();
      return ok();
    },
    "/reopen_logs": () => {
      delegate.reopenLogs();
      return ok();
    },
    "/healthcheck/fail": () => {
      delegate.setHealthcheckFail(true);
      return ok();
    },
    "/healthcheck/ok": () => {
      delegate.setHealthcheckFail(false);
      return ok();
    },
    "/drain_listeners": (request) => {
      delegate.drainListeners({
        graceful: parameter(request, "graceful") !== undefined,
        skipExit: parameter(request, "skip_exit") !== undefined,
        inboundOnly: parameter(request, "inboundonly") !== undefined,
      });
      return ok();
    },
    "/quitquitquit": () => ({ ...ok(), afterwards: (): void => delegate.quit() }),
  };
}

function unsupported(what: string): Handler {
  return () => textResponse(`The current build does not support ${what}`, 501);
}

/** Envoy's answers of a build without these; a Node process is profiled through its inspector. */
const profilers: Readonly<Record<string, Handler>> = {
  "/contention": () =>
    textResponse(
      "Mutex contention tracing is not enabled. " +
        "To enable, run Envoy with flag --enable-mutex-tracing.",
    ),
  "/cpuprofiler": (request) => {
    const enable = parameter(request, "enable");
    if (enable !== "y" && enable !== "n") return textResponse("?enable=<y|n>\n", 400);
    return enable === "n" ? ok() : textResponse("failure to start the profiler", 500);
  },
  "/heapprofiler": unsupported("heap profiler"),
  "/allocprofiler": unsupported("allocation profiler"),
  "/heap_dump": unsupported("heap dump"),
  "/peak_heap_dump": unsupported("peak heap dump"),
  "/memory/tcmalloc": unsupported("TCMalloc stats"),
};

function ok(): AdminResponse {
  return textResponse("OK\n");
}

/** envoy.admin.v3.Memory: V8's heap instead of TCMalloc's; 64-bit numbers are strings. */
function memory(): AdminResponse {
  const { heapUsed, heapTotal, external, rss } = process.memoryUsage();
  return jsonResponse({
    allocated: String(heapUsed + external),
    heap_size: String(heapTotal + external),
    pageheap_unmapped: "0",
    pageheap_free: String(heapTotal - heapUsed),
    total_thread_cache: "0",
    total_physical_bytes: String(rss),
  });
}
