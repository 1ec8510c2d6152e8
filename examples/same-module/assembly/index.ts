// Lets webhooks pass whose body was signed with the key that we share with the sender:
// `x-signature: sha256=` and the HMAC-SHA256 of the body in hexadecimal, as GitHub and others send it.
import {
  Action,
  Body,
  counters,
  HttpFilter,
  log,
  LogLevel,
  RequestHeaders,
  utf8Bytes,
} from "@headgate/sdk-assemblyscript";
import { isSameSecret } from "@headgate/sdk-assemblyscript/kit/bytes";
import { fromHex } from "@headgate/sdk-assemblyscript/kit/hex";
import { hmacSha256 } from "@headgate/sdk-assemblyscript/kit/hmac";

/** What `configuration` in envoy.yaml may say. Anything else is refused, with its place. */
@config
class Config {
  @required @secret @minLength(16) key: string;
  @minLength(1) header: string = "x-signature";
}

const PREFIX = "sha256=";
const webhooks = counters("webhooks.requests", ["result"]);

/** One of these lives as long as one request with its response. */
@filter
class Webhooks extends HttpFilter<Config> {
  private expected: Uint8Array | null = null;

  override onRequestHeaders(headers: RequestHeaders, endOfStream: bool): Action {
    const value = headers.get(this.config.header);
    if (value === null) return this.refuse("unsigned");
    this.expected = value.startsWith(PREFIX) ? fromHex(value.substring(PREFIX.length)) : null;
    if (this.expected === null) return this.refuse("malformed");
    // What the upstream gets waits for the judgement (allow_on_headers_stop_iteration in envoy.yaml).
    return endOfStream ? this.judge(new Uint8Array(0)) : Action.Pause;
  }

  @maxBody("16KiB")
  override onFullRequestBody(body: Body): Action {
    const bytes = body.bytes();
    return this.judge(bytes === null ? new Uint8Array(0) : bytes);
  }

  override keepsRequestLength(): bool {
    return true;
  }

  private judge(bytes: Uint8Array): Action {
    const expected = this.expected;
    const found = hmacSha256(utf8Bytes(this.config.key), bytes);
    if (expected === null || !isSameSecret(found, expected)) return this.refuse("wrong");
    webhooks.with(["passed"]).increment();
    return Action.Continue;
  }

  private refuse(why: string): Action {
    webhooks.with([why]).increment();
    log.kv(LogLevel.Info, "webhook refused", ["why", why]);
    return this.respond(401, "signature " + why + "\n", [], "webhook_" + why);
  }
}
