// Which fields hold secrets, and how problems with them are put into words without showing them.
// Used by problem-list.ts and by what is shown of configurations.

/** Fields that Envoy's API marks as sensitive, by their proto names. */
export const sensitiveFields: ReadonlySet<string> = new Set([
  "private_key",
  "password",
  "pkcs12",
  "session_ticket_keys",
  "secret",
  "auth_password",
  "auth_username",
  "access_key_id",
  "secret_access_key",
  "session_token",
  "token",
]);

export const REDACTED = "[redacted]";
/** Wherever it stands, with line ends as they are or as JSON writes them. */
const PRIVATE_KEY = /-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----[^"']*/g;
const QUOTED = /"(?:[^"\\]|\\.)*"/g;

/** Whether a field path leads into a sensitive field. */
export function isSensitivePath(path: string): boolean {
  return path.includes("generic_secret.secrets") || path.split(/[.[]/).some(isSensitive);
}

function isSensitive(segment: string): boolean {
  return sensitiveFields.has(segment);
}

/** A message about a field, without what it found where that may be a secret. */
export function withoutSecrets(path: string, message: string): string {
  const clean = message.replaceAll(PRIVATE_KEY, REDACTED);
  return isSensitivePath(path) ? clean.replaceAll(QUOTED, REDACTED) : clean;
}

/** A field path, of which a segment may be text of the configuration. */
export function pathWithoutSecrets(path: string): string {
  return path.replaceAll(PRIVATE_KEY, REDACTED);
}

/** A member of JSON that holds a secret: its name, and its text up to the end, or to a cut. */
const SECRET_NAMES: string = [...sensitiveFields, "authorization"].join("|");
const SECRET_MEMBER: RegExp = new RegExp(
  String.raw`("(?:${SECRET_NAMES})"\s*:\s*)"(?:[^"\\]|\\.)*\\?"?`,
  "gi",
);

/** Text of a configuration that a guest is told, without what is known to be secret. */
export function configurationWithoutSecrets(text: string): string {
  return text.replaceAll(PRIVATE_KEY, REDACTED).replaceAll(SECRET_MEMBER, `$1"${REDACTED}"`);
}
