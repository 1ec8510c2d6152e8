// Asks the admin interface of a running process. Used by the commands that change its plugins.
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { type ParseArgsConfig, parseArgs } from "node:util";
import { UsageError } from "../args.ts";

/** Exit codes of these commands; 2 is wrong use. */
export const ExitCode = { Done: 0, Refused: 1, Unreachable: 3 } as const;

/** What commands for a running process have in common. */
export const adminFlags = {
  admin: { type: "string" },
  plugin: { type: "string" },
  "token-file": { type: "string" },
  json: { type: "boolean" },
} as const;

export const ADMIN_HELP: string = `\
  --admin URL          of the admin interface: http://127.0.0.1:9901, or unix:PATH
  --plugin NAME        config.name of the plugin, or its filter's name where that is empty
  --token-file FILE    with the token of --wasm-push-token-file
  --json               the process' answer as it came
exit codes: 0 done; 1 refused; 2 wrong use; 3 the process cannot be reached, or time is over
`;

export interface AdminAnswer {
  readonly status: number;
  readonly body: string;
  /** Null = it is no JSON object. */
  readonly json: Readonly<Record<string, unknown>> | null;
}

/** Nobody answers there. */
export class UnreachableError extends Error {
  override readonly name = "UnreachableError";
}

const TIMEOUT_MS = 120_000;
/** An import would read every export of node:http: 40 ms of the start. */
const { request } = process.getBuiltinModule("node:http");

/** Node's own parser, with our errors. */
export function parseFlags<T extends NonNullable<ParseArgsConfig["options"]>>(
  argv: readonly string[],
  options: T,
): ReturnType<typeof parseArgs<{ options: T; allowPositionals: true }>> {
  try {
    return parseArgs({ args: [...argv], options, allowPositionals: true });
  } catch (error) {
    // Its messages go on with advice about "--" after the first sentence.
    throw new UsageError((error as Error).message.replace(/\. .*$/s, ""));
  }
}

export function needed(value: string | undefined, flag: string): string {
  if (value === undefined || value === "") throw new UsageError(`expected --${flag}`);
  return value;
}

export function readTokenFile(path: string | undefined): string {
  return path === undefined ? "" : readInput(path, "--token-file").toString("utf8").trim();
}

export function readInput(path: string, what: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === "EISDIR" ? "it is a folder" : message;
    throw new UsageError(`${what} ${path}: ${code === "ENOENT" ? "no such file" : why}`);
  }
}

export class AdminClient {
  readonly #address: { readonly socketPath: string } | { host: string; port: number };
  readonly #token: string;
  readonly #url: string;

  /** `url`: http://HOST:PORT, HOST:PORT or unix:PATH. */
  constructor(url: string, token: string) {
    this.#url = url;
    this.#token = token;
    const path = /^unix:(.+)$/.exec(url)?.[1];
    if (path !== undefined) {
      this.#address = { socketPath: path };
      return;
    }
    const parsed = URL.parse(/^[a-z]+:\/\//i.test(url) ? url : `http://${url}`);
    if (parsed?.protocol !== "http:" || parsed.pathname !== "/") {
      throw new UsageError(`--admin: found ${url}, expected http://HOST:PORT or unix:PATH`);
    }
    const host = parsed.hostname.replace(/^\[(.*)\]$/, "$1");
    this.#address = { host, port: Number(parsed.port || 80) };
  }

  /** Throws UnreachableError. */
  async send(
    method: "GET" | "POST",
    path: string,
    body: Buffer | null = null,
    contentType = "application/octet-stream",
  ): Promise<AdminAnswer> {
    const headers: Record<string, string | number> = {};
    if (this.#token !== "") headers["authorization"] = `Bearer ${this.#token}`;
    if (body !== null) {
      headers["content-type"] = contentType;
      headers["content-length"] = body.length;
    }
    try {
      return await this.#exchange({ ...this.#address, method, path, headers }, body);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      throw new UnreachableError(`${this.#url} cannot be reached: ${code ?? message}`);
    }
  }

  #exchange(options: object, body: Buffer | null): Promise<AdminAnswer> {
    return new Promise((resolve, reject) => {
      const timed = { ...options, agent: false, timeout: TIMEOUT_MS };
      const exchange = request(timed, (response) => {
        readAll(response).then(resolve, reject);
      });
      exchange.on("timeout", () => exchange.destroy(new Error("it does not answer")));
      exchange.on("error", reject);
      exchange.end(body ?? undefined);
    });
  }
}

/** `/wasm/plugins/NAME/WHAT`, with its query. */
export function pluginPath(plugin: string, what: string, query: URLSearchParams): string {
  const text = query.toString();
  const path = `/wasm/plugins/${encodeURIComponent(plugin)}/${what}`;
  return text === "" ? path : `${path}?${text}`;
}

/** The module or configuration as it is, or what goes together as multipart/form-data. */
export function pushBody(
  module: Buffer | null,
  configuration: Buffer | null,
  sourceMap: Buffer | null,
): { body: Buffer; contentType: string } {
  if (module === null) {
    return { body: configuration as Buffer, contentType: "application/octet-stream" };
  }
  if (configuration === null && sourceMap === null) {
    return { body: module, contentType: "application/wasm" };
  }
  const boundary = `headgate-${randomUUID()}`;
  const part = (name: string, content: Buffer): Buffer[] => [
    Buffer.from(`--${boundary}\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n`),
    content,
    Buffer.from("\r\n"),
  ];
  const parts = part("module", module);
  if (configuration !== null) parts.push(...part("configuration", configuration));
  if (sourceMap !== null) parts.push(...part("source_map", sourceMap));
  const body = Buffer.concat([...parts, Buffer.from(`--${boundary}--\r\n`)]);
  return { body, contentType: `multipart/form-data; boundary=${boundary}` };
}

/** Says what came of a change; the exit code. */
export function report(answer: AdminAnswer, isJson: boolean, done: string): number {
  if (isJson) process.stdout.write(answer.body);
  if (answer.status === 200) {
    if (!isJson) process.stdout.write(`${done}\n`);
    return ExitCode.Done;
  }
  if (!isJson) process.stderr.write(`headgate: ${refusalText(answer)}\n`);
  return ExitCode.Refused;
}

/** What the process has to say beside what it did; on a line of its own. */
export function noteText(json: AdminAnswer["json"]): string {
  const note = json?.["note"];
  return typeof note === "string" ? `\n${note}` : "";
}

function refusalText({ status, body, json }: AdminAnswer): string {
  const problems = json?.["problems"];
  const hint = status === 401 ? " (--token-file)" : "";
  if (!Array.isArray(problems)) return `refused (${status}): ${body.trim()}${hint}`;
  const version = typeof json?.["version"] === "string" ? ` version ${json["version"]}` : "";
  return [`refused (${status})${version}:`, ...problems.map((one) => `  ${String(one)}`)].join(
    "\n",
  );
}

async function readAll(response: IncomingMessage): Promise<AdminAnswer> {
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  const body = Buffer.concat(chunks).toString("utf8");
  return { status: response.statusCode ?? 0, body, json: objectOf(body) };
}

function objectOf(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text);
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
