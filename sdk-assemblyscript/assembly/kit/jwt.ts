// JSON web tokens (RFC 7519) taken apart. Who made one, and until when it holds, is for the caller:
// `algorithm` says how to check the signature, and a key must be meant for that one.
import { fromBase64Url } from "./base64";
import { JsonValue, parseJson } from "./json";
import { utf8Bytes } from "./bytes";

/** What headers hold at most; more is refused before anything is decoded. */
const TOKEN_UNITS_MAX: i32 = 65536;

/** A token in its three parts, of which none is verified. */
@final
export class Jwt {
  private constructor(
    readonly header: JsonValue,
    readonly payload: JsonValue,
    /** What the signature is made of: pass it to `verify` of a key, or to `hmacSha256`. */
    readonly signed: Uint8Array,
    readonly signature: Uint8Array,
  ) {}

  /** Null when the text is not `HEADER.PAYLOAD.SIGNATURE` with two JSON objects, in base64url. */
  static parse(token: string): Jwt | null {
    const first = token.indexOf(".");
    const second = token.indexOf(".", first + 1);
    if (first < 0 || second < 0 || token.length > TOKEN_UNITS_MAX) return null;
    const header = parsePart(token.substring(0, first));
    const payload = parsePart(token.substring(first + 1, second));
    // A third dot is no letter of base64url.
    const signature = fromBase64Url(token.substring(second + 1));
    if (header === null || payload === null || signature === null) return null;
    return new Jwt(header, payload, utf8Bytes(token.substring(0, second)), signature);
  }

  /** `RS256`, `ES256`, `none`, ...; "" when not said. */
  get algorithm(): string {
    return this.textOf(this.header, "alg");
  }

  /** Which key; "" when not said. */
  get keyId(): string {
    return this.textOf(this.header, "kid");
  }

  get issuer(): string {
    return this.textOf(this.payload, "iss");
  }

  get subject(): string {
    return this.textOf(this.payload, "sub");
  }

  /** Whether it is meant for this audience, which `aud` names, alone or among others. */
  hasAudience(audience: string): bool {
    const claim = this.payload.get("aud");
    if (claim === null) return false;
    if (claim.isTextEqual(audience)) return true;
    const length = claim.isArray ? claim.length : 0;
    for (let i = 0; i < length; i++) {
      const element = claim.at(i);
      if (element !== null && element.isTextEqual(audience)) return true;
    }
    return false;
  }

  /**
   * Whether `nbf` has come and `exp` has not, in seconds since 1970, give or take `leeway`. What is
   * not said does not hold it back; what is no number does.
   */
  isCurrent(now: i64, leeway: i64 = 0): bool {
    const notBefore = this.payload.get("nbf");
    const expires = this.payload.get("exp");
    const time = <f64>now;
    const slack = <f64>leeway;
    // Comparisons with what is not a number are false.
    if (notBefore !== null && !(notBefore.number() <= time + slack)) return false;
    return expires === null || expires.number() > time - slack;
  }

  private textOf(part: JsonValue, name: string): string {
    const text = part.getText(name);
    return text === null ? "" : text;
  }
}

function parsePart(text: string): JsonValue | null {
  const bytes = fromBase64Url(text);
  if (bytes === null) return null;
  const value = parseJson(bytes);
  return value === null || !value.isObject ? null : value;
}
