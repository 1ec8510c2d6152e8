// What a host did in a case, in the words that all adapters use.
import type { Call, Guest } from "./guest.ts";
import { answersOf, type Report, traceOf } from "./reports.ts";

export type FieldList = readonly (readonly [string, string])[];

/** Without what each host adds by itself; see `ownFields`. */
export interface SeenMessage {
  readonly headers: FieldList;
  readonly body: string;
  readonly trailers: FieldList;
}

export interface SeenRequest extends SeenMessage {
  readonly method: string;
  readonly path: string;
  readonly authority: string;
}

export interface SeenExchange extends SeenMessage {
  /** 0: no response came. */
  readonly status: number;
  readonly isComplete: boolean;
  /** null: nothing reached it. */
  readonly upstream: SeenRequest | null;
  /** undefined: the host does not tell. */
  readonly details: string | undefined;
}

/** What both ends of a connection of bytes got; "(end)" stands among it. */
export interface SeenConnection {
  readonly toServer: string;
  readonly toClient: string;
  readonly isClosed: boolean;
}

export interface SeenLine {
  readonly level: string;
  readonly message: string;
}

/** What an adapter tells. */
export interface Told {
  readonly guest: Guest;
  readonly reports: readonly Report[];
  /** Of all plugins, where there are several, in the order in which they came. */
  readonly chain?: readonly Report[];
  readonly exchanges: readonly SeenExchange[];
  readonly connections: readonly SeenConnection[];
  /** Of guests, without reports. */
  readonly logs: readonly SeenLine[];
  /** By the names that guests gave them. */
  readonly metrics: ReadonlyMap<string, number>;
  /** Why the host did not start; null = it did. */
  readonly refusal: string | null;
}

export class Seen {
  readonly told: Told;
  /** What each call of the guest answered. */
  readonly answers: readonly string[];
  /** Callbacks as they came. Contexts have the numbers of their order: 1 is the root. */
  readonly trace: readonly string[];

  constructor(told: Told) {
    this.told = told;
    const reports = ofOneInstance(told.reports);
    this.answers = answersOf(told.guest, reports);
    this.trace = traceOf(renumbered(reports)).filter(isNoRepeatedTick);
  }

  /** Callbacks of all plugins by the letters of their tags: "a proxy_on_log". */
  get chain(): readonly string[] {
    return (this.told.chain ?? []).map(({ guest, callback }) => {
      return `${guest.tag.slice(-1)} ${callback.name}`;
    });
  }

  /** Streams of one plugin came to several of its instances. */
  get isApart(): boolean {
    const seen = new Map<Guest, string>();
    for (const report of this.told.chain ?? this.told.reports) {
      if (!isOfStream(report)) continue;
      const { guest, instance } = report;
      const before = seen.get(guest);
      if (before !== undefined && before !== instance) return true;
      seen.set(guest, instance);
    }
    return false;
  }

  /** What a call of any plugin answered. */
  answerOf(one: Call): string | undefined {
    const found = (this.told.chain ?? this.told.reports).findLast(({ callback }) =>
      callback.calls.includes(one),
    );
    return found?.answers[found.callback.calls.indexOf(one)];
  }

  get exchange(): SeenExchange | undefined {
    return this.told.exchanges.at(-1);
  }

  get connection(): SeenConnection | undefined {
    return this.told.connections.at(-1);
  }

  get logs(): readonly SeenLine[] {
    return this.told.logs;
  }
}

function isNoRepeatedTick(line: string, at: number, all: readonly string[]): boolean {
  return !line.startsWith("proxy_on_tick(") || all[at - 1] !== line;
}

/** Callbacks that a root context alone gets, with the number of the parameter that is it. */
const ROOT = /^proxy_(on_(vm_start|configure|tick|queue_ready|http_call_response|grpc_)|validate_)/;
const STREAM = /^proxy_on_(request|response|log|new_connection|downstream|upstream)/;

function isOfStream({ callback: { name }, args }: Report): boolean {
  return name === "proxy_on_context_create" ? args[1] !== 0 : STREAM.test(name);
}

/**
 * A host may run a plugin in more than one VM: on its main thread as well, as a canary. The one that
 * counts is the one with the most callbacks of streams; of those, the last that started.
 */
function ofOneInstance(reports: readonly Report[]): readonly Report[] {
  const counts = new Map<string, number>();
  for (const report of reports) {
    const { instance } = report;
    counts.set(instance, (counts.get(instance) ?? 0) + (isOfStream(report) ? 1 : 0));
  }
  const most = Math.max(...counts.values());
  const chosen = [...counts.keys()].findLast((instance) => counts.get(instance) === most);
  return reports.filter(({ instance }) => instance === chosen);
}

/** Root contexts come first, in the order of their numbers, which a host may choose as it likes. */
function renumbered(reports: readonly Report[]): readonly Report[] {
  const roots = new Set<number>();
  const others = new Set<number>();
  for (const { callback, args } of reports) {
    if (!isOfContext(callback.name)) continue;
    const [context = 0, parent = 0] = args;
    const isRoot = callback.name === "proxy_on_context_create" ? parent === 0 : null;
    if (isRoot ?? ROOT.test(callback.name)) roots.add(context);
    else others.add(context);
    if (isRoot === false) roots.add(parent);
  }
  if (roots.size === 0) roots.add(1);
  const streams = [...others].filter((id) => !roots.has(id)).toSorted((a, b) => a - b);
  const order = [...[...roots].toSorted((a, b) => a - b), ...streams];
  const numberOf = (id: number): number => (id === 0 ? 0 : order.indexOf(id) + 1 || id);
  return reports.map((report) => {
    if (!isOfContext(report.callback.name)) return report;
    const contexts = report.callback.name === "proxy_on_context_create" ? 2 : 1;
    const args = report.args.map((value, at) => (at < contexts ? numberOf(value) : value));
    return { ...report, args };
  });
}

function isOfContext(name: string): boolean {
  return name.startsWith("proxy_");
}

/** Fields that hosts add or take away as they like, and those that frame a body. */
const HOSTS_OWN =
  /^(host|connection|date|server|content-length|transfer-encoding|via|x-forwarded-.*|x-request-id|x-envoy-.*)$/;

/** Names in lower case, pseudo fields and what is the host's own left out. */
export function ownFields(list: FieldList): FieldList {
  return list
    .map(([name, value]) => [name.toLowerCase(), value] as const)
    .filter(([name]) => !name.startsWith(":") && !HOSTS_OWN.test(name));
}

/** Values of a name, joined by ", "; null = there is none. */
export function fieldOf(list: FieldList, name: string): string | null {
  const values = list.filter(([key]) => key === name).map(([, value]) => value);
  return values.length === 0 ? null : values.join(", ");
}
