// Fuzzes the AssemblyScript SDK through the proxy's own host: whatever comes to a filter from peers,
// configuration, clusters or late events, nothing traps.
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { buildFilter } from "../../filters/build.mjs";
import {
  type ClusterAnswer,
  createFilterHost,
  type FilterHost,
  FilterStartError,
  structBytes,
} from "../../runtime/test/harness.ts";
import { checkLater } from "./settings.ts";

const guest = join(import.meta.dirname, "../../sdk-assemblyscript/test/guests/hostile");
const { wasm: module } = await buildFilter(guest, { mode: "release" });

/** Bytes as latin1: what a peer may send in a header, and what breaks decoders of UTF-8. */
const oddPieces = fc.constantFrom(
  "\xff\xfe",
  "\xc0\xaf",
  "\xed\xa0\x80",
  "\xf0\x9f\x98\x80",
  "\xe2\x82",
  "\xf4\x90\x80\x80",
  "\x7f",
  "\t",
  "=",
  '"',
  "\\",
  "..",
  "%zz",
  "request",
  ":path",
  "plugin_name",
  "jobs",
  "compress",
);
const text: fc.Arbitrary<string> = fc.oneof(
  { weight: 4, arbitrary: fc.string({ unit: fc.oneof(letter(), oddPieces), maxLength: 12 }) },
  { weight: 1, arbitrary: fc.string({ unit: letter(), minLength: 100, maxLength: 300 }) },
);
const name: fc.Arbitrary<string> = fc.constantFrom(
  "x-value",
  "x-mode",
  "x-path",
  "x-a",
  "content-length",
  "x-cancel",
  ":status",
  "x-a-b",
  "te",
);
const value: fc.Arbitrary<string> = fc.oneof(
  { weight: 3, arbitrary: text },
  { weight: 1, arbitrary: fc.constantFrom("", "c", "g", "p", "s", "r", "up", "3", "-1", "1e9") },
);
const fields: fc.Arbitrary<(readonly [string, string])[]> = fc.array(fc.tuple(name, value), {
  maxLength: 6,
});
const body: fc.Arbitrary<Uint8Array[]> = fc.array(
  fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    text.map((one) => new Uint8Array(Buffer.from(one, "latin1"))),
  ),
  { maxLength: 4 },
);

function letter(): fc.Arbitrary<string> {
  return fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code));
}

const trailers = fc.option(fields, { nil: undefined });

interface Answer {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: readonly Uint8Array[];
  readonly trailers?: readonly (readonly [string, string])[] | undefined;
}

const answer: fc.Arbitrary<Answer> = fc.record({
  status: fc.oneof(fc.constantFrom(200, 503, 504), fc.integer({ min: 0, max: 999 })),
  headers: fc.array(fc.tuple(fc.constantFrom("x-value", "x-a", "content-type"), value), {
    maxLength: 3,
  }),
  body,
  trailers,
});

type Step =
  | {
      readonly kind: "request";
      readonly request: Answer;
      readonly response: Answer;
      readonly calls: readonly (Answer | "reset")[];
      readonly isAborted: boolean;
    }
  | { readonly kind: "event"; readonly which: number; readonly args: readonly number[] }
  | { readonly kind: "time" };

const word = fc.oneof(fc.nat({ max: 12 }), fc.constantFrom(0x7fff_ffff, -1), fc.integer());
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant("request" as const),
      request: fc.record({
        status: fc.constant(0),
        headers: fields,
        body,
        trailers,
      }),
      response: answer,
      calls: fc.array(fc.oneof(answer, fc.constant("reset" as const)), { maxLength: 3 }),
      isAborted: fc.boolean(),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("event" as const),
      which: fc.nat(),
      args: fc.array(word, { minLength: 5, maxLength: 5 }),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: "time" as const }) },
);

/** Optional parts that are not there are left out. */
function parts<T extends Answer>(from: T): object {
  const { trailers: last, ...rest } = from;
  return last === undefined ? rest : { ...rest, trailers: last };
}

class Play {
  readonly host: FilterHost;
  #calls: readonly (Answer | "reset")[] = [];
  #next = 0;

  private constructor(host: FilterHost) {
    this.host = host;
  }

  static async start(): Promise<Play> {
    let play: Play | undefined;
    const answers: ClusterAnswer = () => play?.answer() as ReturnType<Play["answer"]>;
    const host = await createFilterHost({
      module,
      config: {},
      clusters: { up: answers as never },
      logLevel: "warn",
    });
    play = new Play(host);
    return play;
  }

  answer(): "reset" | "never" {
    const given = this.#calls[this.#next];
    this.#next += 1;
    if (given === undefined) return "never";
    return (given === "reset" ? given : parts(given)) as never;
  }

  do(given: Step): void {
    if (given.kind === "time") this.host.tick(20);
    else if (given.kind === "event") this.#event(given.which, given.args);
    else {
      this.#calls = given.calls;
      this.#next = 0;
      const exchange = this.host.request({
        method: "POST",
        ...(parts(given.request) as object),
        upstream: parts(given.response),
      });
      if (given.isAborted) exchange.abort();
    }
    // What was logged is not looked at, and would pile up.
    this.host.logs.length = 0;
  }

  /** An event that the guest does not expect: any context, any token, any size. */
  #event(which: number, args: readonly number[]): void {
    const root = this.host.plugin.root;
    if (root === null) throw new Error("the VM is dead");
    const { exports } = root.vm;
    const list = [
      exports.onHttpCallResponse,
      exports.onGrpcInitialMetadata,
      exports.onGrpcReceive,
      exports.onGrpcTrailingMetadata,
      exports.onGrpcClose,
      exports.onQueueReady,
      exports.onRequestHeaders,
      exports.onRequestBody,
      exports.onRequestTrailers,
      exports.onResponseBody,
      exports.onResponseTrailers,
      exports.onDownstreamData,
      exports.onDelete,
      exports.onTick,
    ];
    const callback = list[which % list.length];
    if (callback === null || callback === undefined) throw new Error("not exported");
    const [a = 0, b = 0, c = 0, d = 0, e = 0] = args;
    // Its own context stays: without it all that follows would be ignored.
    const context = callback === exports.onDelete && a === root.id ? 0 : a;
    root.vm.call(root, callback, context, b, c, d, e);
  }

  get trap(): string {
    const { root } = this.host.plugin;
    if (root === null) return "no root context";
    return root.vm.failure === null ? "" : JSON.stringify(root.vm.failure);
  }
}

/** Configurations: right ones, broken ones, and bytes. */
const config: fc.Arbitrary<Uint8Array> = fc.oneof(
  fc.uint8Array({ maxLength: 200 }),
  fc.json({ maxDepth: 5 }).map((one) => new Uint8Array(Buffer.from(one))),
  fc
    .dictionary(fc.constantFrom("name", "count", "offset", "ratio", "whole", "x"), fc.jsonValue(), {
      maxKeys: 6,
    })
    .map((one) => new Uint8Array(Buffer.from(JSON.stringify(one)))),
  fc
    .dictionary(fc.string({ maxLength: 4 }), fc.jsonValue({ maxDepth: 3 }), { maxKeys: 4 })
    .map((one) => structBytes(one as never)),
);
/** A place, and what stands there instead. */
const change = fc.tuple(fc.nat(), fc.uint8Array({ maxLength: 3 }));

function changed(bytes: Uint8Array, [at, piece]: readonly [number, Uint8Array]): Uint8Array {
  const place = at % (bytes.length + 1);
  return Buffer.concat([bytes.subarray(0, place), piece, bytes.subarray(place + 1)]);
}

describe("a filter of the SDK", () => {
  test("survives any requests, answers, calls and late events", async () => {
    const steps = fc.array(step, { minLength: 20, maxLength: 60, size: "max" });
    let inputs = 0;
    await checkLater(
      fc.asyncProperty(steps, async (all) => {
        const play = await Play.start();
        for (const one of all) {
          play.do(one);
          inputs += 1;
          if (play.trap !== "") break;
        }
        expect(play.trap).toBe("");
        play.host.close();
      }),
      50,
    );
    console.log(`${inputs} steps`);
  });

  test("survives any configuration, and refuses what it does not take in words", async () => {
    await checkLater(
      fc.asyncProperty(config, fc.option(change), async (bytes, edit) => {
        const given = edit === null ? bytes : changed(bytes, edit);
        const reasons = await createFilterHost({ module, config: given, logLevel: "error" }).then(
          (host) => (host.close(), ["taken"]),
          (error: unknown) => (error instanceof FilterStartError ? error.reasons : [String(error)]),
        );
        const words = /^taken$|^configuration \/|proxy_on_configure|answered false|refused/;
        expect(reasons.filter((line) => !words.test(line))).toEqual([]);
      }),
      500,
    );
  });
});
