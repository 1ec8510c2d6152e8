// x-forwarded-client-cert: who the client has shown to be, for upstreams that cannot see it.
// Envoy's mutateXfccRequestHeader; called by RequestSanitizer.
import type { ClientCertDetails, HcmConfig } from "../config/snapshot.ts";
import { encodedPem } from "../core/encoded-pem.ts";
import { HeaderId } from "../core/header-names.ts";
import type { HeaderMap } from "../core/header-map.ts";
import type { CertificateInfo, TlsInfo } from "../core/tls-info.ts";

const NAME = "x-forwarded-client-cert";

export class ClientCertForwarder {
  readonly #mode: HcmConfig["forwardClientCert"];
  readonly #details: ClientCertDetails;
  /** By connection: its requests say the same, and digests and PEM are costly. */
  readonly #elements: WeakMap<TlsInfo, string>;

  constructor(config: Pick<HcmConfig, "forwardClientCert" | "clientCertDetails">) {
    this.#mode = config.forwardClientCert;
    this.#details = config.clientCertDetails;
    this.#elements = new WeakMap();
  }

  /** `isThere`: the request came with the header. */
  apply(headers: HeaderMap, tls: TlsInfo | null, isThere: boolean): void {
    const mode = this.#mode;
    if (mode === "always_forward_only") {
      if (isThere) join(headers, "");
      return;
    }
    // Nobody vouches for what a client says that has shown no certificate itself.
    if (mode === "sanitize" || tls === null || tls.peer === null) {
      if (isThere) headers.removeById(HeaderId.XForwardedClientCert);
    } else if (mode === "forward_only") {
      if (isThere) join(headers, "");
    } else {
      const element = this.#elementOf(tls, tls.peer);
      if (mode === "append_forward" && isThere) join(headers, element);
      else headers.setById(HeaderId.XForwardedClientCert, element);
    }
  }

  #elementOf(tls: TlsInfo, peer: CertificateInfo): string {
    const known = this.#elements.get(tls);
    if (known !== undefined) return known;
    const element = elementOf(this.#details, tls, peer);
    this.#elements.set(tls, element);
    return element;
  }
}

/** One line of those that are there, with `element` behind them; "" = nothing. */
function join(headers: HeaderMap, element: string): void {
  const values = headers.getAll(NAME);
  if (values.length === 1 && element === "") return;
  const elements = [...values, element].filter((value) => value !== "");
  headers.setById(HeaderId.XForwardedClientCert, elements.join(","));
}

/** In Envoy's order. URI stands there even when it is empty; names are not quoted. */
function elementOf(details: ClientCertDetails, tls: TlsInfo, peer: CertificateInfo): string {
  const pairs = (tls.local?.uris ?? []).map((uri) => `By=${uri}`);
  pairs.push(`Hash=${peer.sha256}`);
  if (details.cert) pairs.push(`Cert="${encodedPem(peer.pem)}"`);
  if (details.chain) {
    pairs.push(`Chain="${tls.peerChain.map((one) => encodedPem(one.pem)).join("")}"`);
  }
  if (details.subject) pairs.push(`Subject="${peer.subject}"`);
  if (details.uri) {
    if (peer.uris.length === 0) pairs.push("URI=");
    for (const uri of peer.uris) pairs.push(`URI=${uri}`);
  }
  if (details.dns) for (const name of peer.dnsNames) pairs.push(`DNS=${name}`);
  return pairs.join(";").replace(controls, "_");
}

/** A SAN may hold any byte, and a line end would make another header of what follows. */
const controls = /[^\x20-\x7e\x80-\xff]/g;
