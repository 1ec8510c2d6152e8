// A request to the admin interface, taken apart, and the answers that handlers give.
import type { JsonValue } from "./admin-delegate.ts";

export interface AdminRequest {
  readonly method: string;
  /** Without the query, as it came. */
  readonly path: string;
  /** Parameters in their order, percent-decoded; of a name that repeats the first counts. */
  readonly parameters: readonly (readonly [string, string])[];
  /** "" = not said. */
  readonly contentType: string;
  readonly body: Buffer;
}

export interface AdminResponse {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
  /** Done when the answer is on its way. */
  readonly afterwards?: () => void;
}

const TEXT = "text/plain; charset=UTF-8";

export function textResponse(body: string, status = 200): AdminResponse {
  return { status, contentType: TEXT, body };
}

/** One-blank indentation and a line feed, as Envoy prints messages. */
export function jsonResponse(value: JsonValue): AdminResponse {
  return {
    status: 200,
    contentType: "application/json",
    body: `${JSON.stringify(value, null, 1)}\n`,
  };
}

/**
 * Parameters are those of the target, and of a body of application/x-www-form-urlencoded.
 * `isBytes`: the body is no form, whatever it says: curl says so of all that it is given.
 */
export function parseAdminRequest(
  method: string,
  target: string,
  contentType: string,
  body: Buffer,
  isBytes: boolean,
): AdminRequest {
  const isForm = !isBytes && /^application\/x-www-form-urlencoded\b/i.test(contentType);
  const form = isForm ? body.toString("latin1") : "";
  const mark = target.indexOf("?");
  const path = mark < 0 ? target : target.slice(0, mark);
  const query = mark < 0 ? "" : target.slice(mark + 1);
  const parameters = [...parseParameters(query), ...parseParameters(form)];
  return { method, path, parameters, contentType, body };
}

/** Value of a parameter, "" when it stands without one; undefined when it is not there. */
export function parameter(request: AdminRequest, name: string): string | undefined {
  return request.parameters.find(([known]) => known === name)?.[1];
}

function parseParameters(text: string): [string, string][] {
  return text
    .split("&")
    .filter((pair) => pair !== "")
    .map((pair) => {
      const equals = pair.indexOf("=");
      if (equals < 0) return [percentDecoded(pair), ""];
      return [percentDecoded(pair.slice(0, equals)), percentDecoded(pair.slice(equals + 1))];
    });
}

/** "+" stays: filters are regular expressions. What is not %XX stays too. */
function percentDecoded(text: string): string {
  if (!text.includes("%")) return text;
  const bytes = text.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return Buffer.from(bytes, "latin1").toString("utf8");
}
