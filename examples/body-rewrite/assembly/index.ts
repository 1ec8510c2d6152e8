// JSON on its way: secrets in responses are masked, wherever they stand, and requests that are no JSON,
// or too much of it, do not reach the upstream.
import {
  Action,
  Body,
  counter,
  HttpFilter,
  RequestHeaders,
  ResponseHeaders,
} from "@headgate/sdk-assemblyscript";
import { jsonProblem, JsonValue, parseJson } from "@headgate/sdk-assemblyscript/kit/json";
import { JsonWriter } from "@headgate/sdk-assemblyscript/kit/json-writer";

/** What `configuration` in envoy.yaml may say. Anything else is refused, with its place. */
@config
class Config {
  /** Names of members whose values nobody may see. */
  @required @minLength(1) mask: string[];
  mark: string = "***";
}

const masked = counter("body_rewrite.masked");

/** One of these lives as long as one request with its response. */
@filter
class BodyRewrite extends HttpFilter<Config> {
  private isJsonRequest: bool = false;
  private isJsonResponse: bool = false;

  override onRequestHeaders(headers: RequestHeaders, endOfStream: bool): Action {
    this.isJsonRequest = isJson(headers.get("content-type"));
    // A compressed response could not be read. (kit/gunzip could, at a price.)
    headers.remove("accept-encoding");
    return Action.Continue;
  }

  /** The proxy keeps so much of a body; more is answered by 413. */
  @maxBody("64KiB")
  override onFullRequestBody(body: Body): Action {
    if (!this.isJsonRequest) return Action.Continue;
    const bytes = body.bytes();
    if (bytes === null || parseJson(bytes) !== null) return Action.Continue;
    return this.respond(400, "no JSON: " + jsonProblem() + "\n");
  }

  /** The length is what it was: content-length may stay. */
  override keepsRequestLength(): bool {
    return true;
  }

  override onResponseHeaders(headers: ResponseHeaders, endOfStream: bool): Action {
    this.isJsonResponse = isJson(headers.get("content-type")) && !headers.has("content-encoding");
    return Action.Continue;
  }

  /** Collects what is JSON only: all else streams through, whatever its size. */
  override responseBodyMax(): u32 {
    return this.isJsonResponse ? 256 * 1024 : 0;
  }

  override onFullResponseBody(body: Body): Action {
    const bytes = body.bytes();
    if (bytes === null) return Action.Continue;
    const value = parseJson(bytes);
    // What says that it is JSON and is not: rather nothing than a secret.
    if (value === null) {
      body.replaceText('{"error":"the answer could not be read"}');
      return Action.Continue;
    }
    const writer = new JsonWriter();
    this.write(value, writer);
    body.replace(writer.bytes());
    return Action.Continue;
  }

  private write(value: JsonValue, to: JsonWriter): void {
    const isObject = value.isObject;
    if (!isObject && !value.isArray) return to.value(value);
    if (isObject) to.beginObject();
    else to.beginArray();
    // Counting walks over all of it: once.
    const count = value.length;
    for (let i = 0; i < count; i++) {
      const name = value.nameAt(i);
      if (name !== null) to.name(name);
      if (name !== null && this.config.mask.includes(name)) this.hide(to);
      else this.write(value.at(i)!, to);
    }
    if (isObject) to.endObject();
    else to.endArray();
  }

  private hide(to: JsonWriter): void {
    masked.increment();
    to.text(this.config.mark);
  }
}

function isJson(contentType: string | null): bool {
  return contentType !== null && contentType.startsWith("application/json");
}
