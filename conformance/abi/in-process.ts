// The adapter that plays cases in memory: Headgate's filter manager and VM without sockets, on a clock
// that is turned by hand.
import {
  type ClusterAnswer,
  createFilterHost,
  type FilterExchange,
  type FilterHost,
  type FilterHostOptions,
  type FilterRequest,
  FilterStartError,
  type TcpExchange,
} from "@headgate/runtime/testing";
import { defaultWasmPolicy, type WasmPolicy } from "../../runtime/src/config/wasm-policy.ts";
import type { Case, Limits, Need, Request, Response, Scene, TcpStep } from "./case.ts";
import { REQUEST } from "./case.ts";
import { clusters, judged, mirrored } from "./clusters.ts";
import type { Guest } from "./guest.ts";
import { guestOf, listOf } from "./make-case.ts";
import { isReport, readReports } from "./reports.ts";
import { ownFields, Seen, type SeenConnection, type SeenExchange } from "./seen.ts";

/** What this adapter cannot do. */
export const CANNOT: ReadonlySet<Need> = new Set([
  "plugins",
  "access logger",
  "service",
  "routes",
  "callout times",
  "threads",
  "route configuration",
  "upstream filters",
]);

/** How long a callback is waited for, on the clock of the host. */
const WAIT_MS_MAX = 5_000;

export interface Options {
  /** A host that is something else than Headgate's own. */
  readonly createHost?: typeof createFilterHost;
}

/** Plays a case and tells what the host did. */
export async function playHere(one: Case, options: Options = {}): Promise<Seen> {
  const guest = guestOf(one);
  const create = options.createHost ?? createFilterHost;
  const made = await create(hostOptions(one, guest)).catch((error: unknown) => {
    if (error instanceof FilterStartError || isModuleError(error)) return error as Error;
    throw error;
  });
  if (made instanceof Error) return refused(guest, made);
  const player = new Player(made, guest, one.scene);
  const seen = player.play();
  made.close();
  return seen;
}

function isModuleError(error: unknown): boolean {
  return error instanceof Error && error.name === "ModuleError";
}

function refused(guest: Guest, error: Error): Seen {
  const nothing = { exchanges: [], connections: [], logs: [], metrics: new Map() };
  return new Seen({ guest, reports: [], ...nothing, refusal: error.message });
}

function hostOptions({ scene }: Case, guest: Guest): FilterHostOptions {
  const { plugin = {}, needs } = scene;
  const {
    failurePolicy,
    capabilities,
    stopIteration,
    vmId,
    limits = {},
    isInline: _,
    ...same
  } = plugin;
  return {
    ...same,
    module: guest.bytes,
    policy: policyOf(limits),
    vmId: (vmId ?? "$CASE").replaceAll("$CASE", guest.tag),
    clusters: Object.fromEntries(
      Object.entries(clusters).map(([name, { answer }]) => [name, clusterAnswer(answer)]),
    ),
    allowOnHeadersStopIteration: stopIteration ?? false,
    logLevel: needs?.includes("error log") === true ? "error" : "trace",
    ...(failurePolicy === undefined ? {} : { failurePolicy: `fail_${failurePolicy}` as const }),
    ...(capabilities === undefined ? {} : { allowedCapabilities: capabilities }),
  };
}

function policyOf({ memoryPages, configureFuel, callbackFuel, ...limits }: Limits): WasmPolicy {
  const { fuel, memoryPagesMax } = defaultWasmPolicy;
  return {
    ...defaultWasmPolicy,
    memoryPagesMax: memoryPages ?? memoryPagesMax,
    fuel: fuel && {
      ...fuel,
      configure: configureFuel ?? fuel.configure,
      callback: callbackFuel ?? fuel.callback,
    },
    limits: { ...defaultWasmPolicy.limits, ...limits },
  };
}

function clusterAnswer(answer: (typeof clusters)[string]["answer"]): ClusterAnswer {
  if (answer === "cut") return "reset";
  if (answer === "judge") {
    return ({ headers }) => judged(headers[":path"] ?? "", headers["authorization"] ?? "");
  }
  if (answer !== "mirror") return answer;
  return ({ headers, body, trailers }) => ({
    status: 200,
    body: mirrored(
      headers[":method"] ?? "",
      headers[":path"] ?? "",
      headers[":authority"] ?? "",
      headers["x-ask"] ?? "",
      body.toString(),
      trailers["t"] ?? "",
    ),
  });
}

class Player {
  readonly #host: FilterHost;
  readonly #guest: Guest;
  readonly #scene: Scene;
  readonly #exchanges: FilterExchange[] = [];
  readonly #connections: TcpExchange[] = [];

  constructor(host: FilterHost, guest: Guest, scene: Scene) {
    this.#host = host;
    this.#guest = guest;
    this.#scene = scene;
  }

  play(): Seen {
    const { play = [{ request: {} }], request } = this.#scene;
    for (const step of play) {
      if ("request" in step) {
        const wanted = { ...REQUEST, ...request, ...step.request };
        this.#exchanges.push(this.#host.request(filterRequest(wanted)));
      } else if ("connect" in step) this.#connect(step.connect);
      else if ("until" in step) this.#until(step.until, step.times ?? 1);
      else if ("pauseMs" in step) this.#host.tick(step.pauseMs);
      else this.#host.plugin.drain();
    }
    return this.#seen();
  }

  #connect(steps: readonly TcpStep[]): void {
    const connection = this.#host.connect();
    this.#connections.push(connection);
    const ended = new Set<string>();
    for (const step of steps) {
      if (step === "client ends") connection.clientEnds();
      else if (step === "server ends") connection.serverEnds();
      else if (step === "client leaves") connection.close(true);
      else if ("client" in step) connection.clientSends(step.client);
      else connection.serverSends(step.server);
      if (typeof step === "string") ended.add(step);
      // A connection that has ended both ways is closed.
      if (ended.has("client ends") && ended.has("server ends")) connection.close(false);
    }
  }

  #until(name: string, times: number): void {
    const count = (): number =>
      this.#host.logs
        .flatMap((line) => readReports(line.message, this.#guest))
        .filter(({ callback }) => callback.name === name).length;
    for (let ms = 0; ms < WAIT_MS_MAX && count() < times; ms += 5) this.#host.tick(5);
  }

  #seen(): Seen {
    const { logs, metrics } = this.#host;
    const names = metrics.names.map((name) => [name, metrics.get(name) ?? 0] as const);
    return new Seen({
      guest: this.#guest,
      reports: logs.flatMap((line) => readReports(line.message, this.#guest)),
      exchanges: this.#exchanges.map(seenExchange),
      connections: this.#connections.map(seenConnection),
      logs: logs.filter((line) => line.isGuests && !isReport(line.message)),
      metrics: new Map(names),
      refusal: null,
    });
  }
}

/** With what a proxy adds to a request before its filters see it. */
function filterRequest(request: Request): FilterRequest {
  const { headers, upstream, method, path, authority } = request;
  const body = request.body ?? (request.trailers === undefined ? undefined : []);
  return {
    ...(method === undefined ? {} : { method }),
    ...(path === undefined ? {} : { path }),
    ...(authority === undefined ? {} : { authority }),
    headers: [...listOf(headers), ["x-forwarded-proto", "http"]],
    ...(body === undefined ? {} : { body }),
    ...(request.trailers === undefined ? {} : { trailers: request.trailers }),
    upstream: upstream === "never" ? "never" : filterResponse(upstream ?? {}),
  };
}

function filterResponse(response: Response): Exclude<FilterRequest["upstream"], undefined> {
  const hasBody = response.body !== undefined || response.trailers !== undefined;
  const framing = hasBody
    ? (["transfer-encoding", "chunked"] as const)
    : (["content-length", "0"] as const);
  return { ...response, headers: [...listOf(response.headers), framing] };
}

function seenExchange(exchange: FilterExchange): SeenExchange {
  const { upstreamRequest: sent } = exchange;
  return {
    status: exchange.status,
    headers: ownFields(exchange.headerList),
    body: exchange.text,
    trailers: Object.entries(exchange.trailers),
    isComplete: exchange.isOver && exchange.reset === null,
    upstream:
      sent === null
        ? null
        : {
            method: sent.headers[":method"] ?? "",
            path: sent.headers[":path"] ?? "",
            authority: sent.headers[":authority"] ?? "",
            headers: ownFields(sent.headerList),
            body: sent.body.toString(),
            trailers: Object.entries(sent.trailers),
          },
    details: exchange.reset ?? exchange.localReply?.details ?? "via_upstream",
  };
}

function seenConnection({ toServer, toClient, closed }: TcpExchange): SeenConnection {
  return { toServer: toServer.replace("(new)", ""), toClient, isClosed: closed !== null };
}
