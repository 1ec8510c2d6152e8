// Which names of a certificate satisfy a configuration: match_typed_subject_alt_names, the name a
// client has asked for, and lists of names. Envoy's rules, which are not quite RFC 6125's.
import type { SubjectAltNameMatchConfig } from "../config/tls-config.ts";
import type { CertificateInfo } from "../core/tls-info.ts";
import { compileStringMatch } from "../matcher/string-matcher.ts";

export interface SanMatcher {
  matches(certificate: CertificateInfo): boolean;
}

export function compileSanMatch(config: SubjectAltNameMatchConfig): SanMatcher {
  const { kind, match } = config;
  // "exact" is a host's name then, that a certificate's wildcard may cover.
  if (kind === "dns" && match.kind === "exact") return dnsNameMatcher(match.value);
  const matcher = compileStringMatch(match);
  if (kind === "other_name") {
    return {
      matches: ({ otherNames }) =>
        otherNames.some((one) => one.oid === config.oid && matcher.matches(one.value)),
    };
  }
  const read = namesByKind[kind];
  return { matches: (certificate) => read(certificate).some((name) => matcher.matches(name)) };
}

const namesByKind: Readonly<
  Record<
    Exclude<SubjectAltNameMatchConfig["kind"], "other_name">,
    (certificate: CertificateInfo) => readonly string[]
  >
> = {
  dns: (certificate) => certificate.dnsNames,
  uri: (certificate) => certificate.uris,
  email: (certificate) => certificate.emails,
  ip_address: (certificate) => certificate.ipAddresses,
};

/** The certificate's DNS names cover `host`. */
export function dnsNameMatcher(host: string): SanMatcher {
  return { matches: (certificate) => certificate.dnsNames.some((name) => coversHost(name, host)) };
}

/** One of `names` is a DNS name, an URI or an IP address of the certificate. */
export function hasOneOf(certificate: CertificateInfo, names: readonly string[]): boolean {
  return names.some(
    (name) =>
      certificate.dnsNames.some((one) => coversHost(one, name)) ||
      certificate.uris.includes(name) ||
      certificate.ipAddresses.includes(name),
  );
}

/**
 * A certificate's DNS name `pattern` covers `host`, whatever the case. A wildcard stands in the
 * first label only, once, for a part of one label; not in an A-label ("xn--").
 */
export function coversHost(pattern: string, host: string): boolean {
  const name = host.toLowerCase();
  const covering = pattern.toLowerCase();
  if (name === covering) return true;
  const dot = name.indexOf(".");
  const patternDot = covering.indexOf(".");
  if (dot < 0 || patternDot < 0) return false;
  const rest = covering.slice(patternDot);
  const label = covering.slice(0, patternDot);
  if (rest.includes("*") || label.startsWith("xn--") || name.slice(dot) !== rest) return false;
  return coversLabel(label, name.slice(0, dot));
}

function coversLabel(pattern: string, label: string): boolean {
  if (pattern === "*") return true;
  const star = pattern.indexOf("*");
  if (star < 0 || pattern.indexOf("*", star + 1) >= 0) return false;
  const [head, tail] = [pattern.slice(0, star), pattern.slice(star + 1)];
  return pattern.length <= label.length + 1 && label.startsWith(head) && label.endsWith(tail);
}
