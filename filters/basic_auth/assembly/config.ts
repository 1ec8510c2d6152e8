// Users and their hashes, and what to do with who comes without.
import { ConfigObject, Configuration } from "@headgate/sdk-assemblyscript";
import { fromBase64 } from "@headgate/sdk-assemblyscript/kit/base64";

const SHA = "{SHA}";
const SHA1_BYTES = 20;

export class BasicAuthConfig {
  /** SHA-1 of the password by the user's name. */
  users: Map<string, Uint8Array> = new Map();
  /** "" = none is set. */
  forwardHeader: string = "";
  authHeader: string = "authorization";
  allowsMissing: bool = false;
  emitsMetadata: bool = false;
  /** "" = the URI that was asked for. */
  realm: string = "";
}

export function readBasicAuthConfig(source: Configuration): BasicAuthConfig {
  const config = new BasicAuthConfig();
  const root = source.json();
  const filter = root.object("filter");
  const levels = root.array("levels");
  if (filter === null || levels === null) return config;
  config.forwardHeader = filter.string("forward_username_header");
  const authHeader = filter.string("authentication_header");
  if (authHeader != "") config.authHeader = authHeader;
  config.allowsMissing = filter.bool("allow_missing");
  config.emitsMetadata = filter.bool("emit_dynamic_metadata");
  readOwn(config, filter);
  // What a route says stands in place of the filter's.
  for (let i = 0; i < levels.length; i++) {
    const level = levels.object(i);
    if (level !== null) readOwn(config, level);
  }
  if (config.users.size == 0 && levels.length == 0) filter.fail("users", "found no user");
  return config;
}

function readOwn(config: BasicAuthConfig, object: ConfigObject): void {
  const realm = object.string("realm");
  if (realm != "") config.realm = realm;
  const users = object.object("users");
  if (users === null) return;
  const lines = users.string("inline_string").split("\n");
  config.users = new Map();
  for (let i = 0; i < lines.length; i++) {
    const problem = addUser(config.users, unchecked(lines[i]));
    if (problem != "") users.fail("inline_string", "line " + (i + 1).toString() + ": " + problem);
  }
}

/** What is wrong with a line; "" = it is a user, or empty. */
function addUser(users: Map<string, Uint8Array>, line: string): string {
  if (line == "" || line.charCodeAt(0) == 0x23) return "";
  const colon = line.indexOf(":");
  if (colon < 0) return "expected username:password";
  const name = line.substring(0, colon);
  const hash = line.substring(colon + 1);
  if (name == "" || hash == "") return "the username or the password is empty";
  if (users.has(name)) return "the user is there twice";
  if (!hash.startsWith(SHA)) return "unsupported htpasswd format, expected {SHA}";
  const digest = fromBase64(hash.substring(SHA.length));
  if (digest === null || digest.length != SHA1_BYTES) return "invalid SHA hash";
  users.set(name, digest);
  return "";
}
