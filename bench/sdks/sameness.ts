// Plays the same requests through each module in each proxy, and tells what is not the same: bytes
// that the client gets, and requests that the upstream and the auth service get.
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { FilterName } from "./sources.ts";

/** What one request came to. */
interface Outcome {
  readonly status: number | undefined;
  readonly headers: readonly string[];
  readonly body: string;
  /** Method, path, headers and body of each request behind the proxy. */
  readonly behind: readonly (readonly string[])[];
}

interface Asked {
  readonly path: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const bearer = (name: string): Asked => ({
  path: "/things?of=ada",
  headers: { authorization: `Bearer ${name}`, "x-auth-user": "nobody" },
});

const ASKED: Readonly<Record<FilterName, readonly Asked[]>> = {
  header: [
    { path: "/" },
    { path: "/", headers: { "user-agent": "Mozilla/5.0 (Linux; Mobile; rv:109.0)" } },
    { path: "/", headers: { "user-agent": "mobile Mobil" } },
    { path: "/old/things?of=ada", headers: { "x-internal": "1", "x-device": "phone" } },
    { path: "/old/" },
    { path: "/old" },
    { path: "/older/old/", method: "POST" },
  ],
  auth: [
    { path: "/public/things", headers: { authorization: "Bearer ada" } },
    { path: "/things" },
    ...["ada", "anonymous", "denied", "broken", "gone", "slow"].map(bearer),
  ],
  body: [
    ...["text", "json", "none", "empty", "broken", "large", "parts", "ends", "nothing"].map(
      (name) => ({ path: `/${name}` }),
    ),
    { path: "/text", method: "HEAD" },
  ],
};

/** Bodies of the upstream by path: content type, and the pieces that it writes. */
const BODIES: Readonly<Record<string, readonly [string, ...(string | Buffer)[]]>> = {
  "/text": ["text/plain", "a secret, and Secret, and secretsecret"],
  "/json": ["application/json", '{"a":"secret"}'],
  "/none": ["text/html", "<p>nothing here, secre t</p>"],
  "/empty": ["text/plain", ""],
  "/broken": ["text/plain", Buffer.from("ff00c3736563726574ed a080".replace(" ", ""), "hex")],
  "/large": ["text/css", `${"no".repeat(1000)}secret`.repeat(200)],
  "/parts": ["text/plain", "one sec", "ret and two sec", "", "sec", "ret"],
  "/ends": ["text/plain; charset=utf-8", "secret in front, behind secret"],
};

const CHECKS: Readonly<Record<string, readonly [number, string, string?]>> = {
  "Bearer ada": [200, "ok", "ada"],
  "Bearer anonymous": [200, "ok"],
  "Bearer denied": [403, "not you\n"],
  "Bearer broken": [500, "oops"],
};

const ANSWER_MS_MAX = 10_000;

/** Differ from run to run, or are the proxy's own. */
const LEFT_OUT = /^(date|x-request-id|x-envoy-upstream-service-time):/;

function headerLines(raw: readonly string[]): string[] {
  const lines = raw.flatMap((name, at) =>
    at % 2 === 0 ? [`${name.toLowerCase()}: ${raw[at + 1]}`] : [],
  );
  return lines.filter((line) => !LEFT_OUT.test(line)).toSorted();
}

/** An upstream that is the auth service, too, and remembers what it was asked. */
export class Upstream {
  readonly #server = createServer((message, response) => this.#answer(message, response));
  #seen: string[][] = [];

  /** Its port. */
  async start(): Promise<number> {
    await new Promise<void>((resolve) => {
      this.#server.listen(0, "127.0.0.1", resolve);
    });
    return (this.#server.address() as AddressInfo).port;
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  /** What it was asked since the last call. */
  take(): readonly (readonly string[])[] {
    const seen = this.#seen;
    this.#seen = [];
    return seen;
  }

  #answer(message: IncomingMessage, response: ServerResponse): void {
    const { method, url = "" } = message;
    // Of the ports only the proxy's differs, which is in no header but this.
    const lines = headerLines(message.rawHeaders).filter((line) => !line.startsWith("host: 127."));
    this.#seen.push([`${method} ${url}`, ...lines]);
    message.resume();
    if (url === "/check") this.#check(message.headers.authorization ?? "", response);
    else if (url === "/nothing") response.writeHead(204).end();
    else {
      const [type, ...pieces] = BODIES[url] ?? ["text/plain", "ok"];
      const length =
        pieces.length === 1 ? { "content-length": Buffer.byteLength(pieces[0] ?? "") } : {};
      response.writeHead(200, { "content-type": type, "x-powered-by": "tests", ...length });
      for (const piece of pieces) response.write(piece);
      response.end();
    }
  }

  #check(token: string, response: ServerResponse): void {
    if (token === "Bearer gone") response.destroy();
    // Longer than the filters wait.
    if (token === "Bearer gone" || token === "Bearer slow") return;
    const [status, body, user] = CHECKS[token] ?? [401, "who are you?\n"];
    response.writeHead(status, user === undefined ? {} : { "x-auth-user": user }).end(body);
  }
}

function ask(port: number, { path, method = "GET", headers = {} }: Asked): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port, path, method, headers, agent: false };
    const sent = request(options, (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => parts.push(part));
      response.on("error", reject);
      response.on("end", () => {
        const lines = headerLines(response.rawHeaders);
        const body = Buffer.concat(parts).toString("latin1");
        resolve({ status: response.statusCode, headers: lines, body, behind: [] });
      });
    });
    sent.on("error", reject);
    sent.setTimeout(ANSWER_MS_MAX, () => sent.destroy(new Error(`${path}: no answer`)));
    sent.end();
  });
}

/** All that a filter is asked, in order. */
export async function play(
  port: number,
  filter: FilterName,
  upstream: Upstream,
): Promise<readonly Outcome[]> {
  upstream.take();
  const outcomes: Outcome[] = [];
  for (const asked of ASKED[filter]) {
    const outcome = await ask(port, asked);
    outcomes.push({ ...outcome, behind: upstream.take() });
  }
  return outcomes;
}

/** What is different between two modules' outcomes, a line for each request; [] = they are equal. */
export function differencesOf(
  filter: FilterName,
  one: readonly Outcome[],
  other: readonly Outcome[],
): string[] {
  return ASKED[filter].flatMap(({ path, method = "GET", headers = {} }, at) => {
    const [left, right] = [one[at], other[at]].map((outcome) => JSON.stringify(outcome));
    const sent = `${filter}: ${method} ${path} ${JSON.stringify(headers)}`;
    return left === right ? [] : [`${sent}\n  ${left}\n  ${right}`];
  });
}

/** How many requests a filter is asked. */
export function askedCount(filter: FilterName): number {
  return ASKED[filter].length;
}
