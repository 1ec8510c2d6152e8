// Lets requests pass that name a user and know his password.
import { Action, callForeign, counter, HttpFilter, RequestHeaders, utf8Bytes } from "@headgate/sdk-assemblyscript";
import { fromBase64 } from "@headgate/sdk-assemblyscript/kit/base64";
import { isSameSecret } from "@headgate/sdk-assemblyscript/kit/bytes";
import { sha1 } from "@headgate/sdk-assemblyscript/kit/sha1";
import { BasicAuthConfig } from "./config";

const allowed = counter("basic_auth.allowed");
const denied = counter("basic_auth.denied");

const COLON: u8 = 0x3a;
const REALM_PATH_MAX = 256;
const FAILED = "User authentication failed. ";

export class BasicAuth extends HttpFilter<BasicAuthConfig> {
  override onRequestHeaders(headers: RequestHeaders, endOfStream: bool): Action {
    const config = this.config;
    const value = headers.get(config.authHeader);
    if (value === null) {
      if (config.allowsMissing) return Action.Continue;
      return this.deny(headers, "Missing username and password.", "no_credential_for_basic_auth");
    }
    if (!value.startsWith("Basic ")) {
      if (config.allowsMissing) return Action.Continue;
      const words = "Expected 'Basic' authentication scheme.";
      return this.deny(headers, words, "invalid_scheme_for_basic_auth");
    }
    const credentials = fromBase64(value.substring(6));
    const colon = credentials === null ? -1 : credentials.indexOf(COLON);
    if (credentials === null || colon < 0) {
      const words = "Invalid basic credential format.";
      return this.deny(headers, words, "invalid_format_for_basic_auth");
    }
    const name = String.UTF8.decodeUnsafe(credentials.dataStart, colon);
    const users = config.users;
    const expected = users.has(name) ? users.get(name) : UNKNOWN;
    // Of an unknown user, too: how long it takes tells nobody who is known.
    const isGood = isSameSecret(sha1(credentials.subarray(colon + 1)), expected);
    if (!isGood || !users.has(name)) {
      const words = "Invalid username/password combination.";
      return this.deny(headers, words, "invalid_credential_for_basic_auth");
    }
    if (config.forwardHeader != "") headers.set(config.forwardHeader, name);
    if (config.emitsMetadata) {
      const entry = "envoy.filters.http.basic_auth\0username\0" + name;
      callForeign("set_dynamic_metadata", utf8Bytes(entry));
    }
    return this.pass();
  }

  private pass(): Action {
    allowed.increment();
    return Action.Continue;
  }

  private deny(headers: RequestHeaders, words: string, details: string): Action {
    denied.increment();
    const realm = this.config.realm == "" ? originalUri(headers) : this.config.realm;
    const challenge = ["www-authenticate", 'Basic realm="' + quoted(realm) + '"'];
    return this.respond(401, FAILED + words, challenge, details);
  }
}

const UNKNOWN = new Uint8Array(20);

/** What stands between the quotes of a quoted-string (RFC 9110, 5.6.4). */
function quoted(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"');
}

function originalUri(headers: RequestHeaders): string {
  const original = headers.get("x-envoy-original-path");
  const path = original === null ? headers.path : original;
  const proto = headers.get("x-forwarded-proto");
  const scheme = proto === null ? "" : proto;
  return scheme + "://" + headers.authority + path.substring(0, REALM_PATH_MAX);
}
