// Makes the TLSSocket of a connection and sets what its handshake needs; called by tls-start.ts.
import type net from "node:net";
import tls from "node:tls";
import type { TlsClientStart, TlsServerStart, TlsStart } from "../engine/tls.ts";
import { innerContext, type TlsHandle, useTicketKeys } from "./node-internals.ts";

/** The two sockets of a TLS connection. */
export class TlsSockets {
  /** Carries records; over TCP or a unix socket. */
  readonly carrier: net.Socket;
  readonly isUnix: boolean;
  readonly secure: tls.TLSSocket;
  /** OpenSSL's part is freed, or about to be: what asks it now ends the process. */
  isGone: boolean = false;

  constructor(carrier: net.Socket, isUnix: boolean, start: TlsStart) {
    this.carrier = carrier;
    this.isUnix = isUnix;
    // What goes wrong is reported by the handle, or by the other socket.
    carrier.on("error", ignore);
    // Before node:tls listens, which frees it then.
    carrier.once("close", () => {
      this.isGone = true;
    });
    this.secure = start.side === "server" ? newServer(carrier, start) : newClient(carrier, start);
    this.secure.on("error", ignore);
  }

  destroy(withReset: boolean): void {
    const { carrier } = this;
    // node:tls follows when the carrier has closed.
    if (withReset && !this.isUnix && !carrier.destroyed) carrier.resetAndDestroy();
    else this.secure.destroy();
  }
}

const ignore = (): void => {};

function newServer(carrier: net.Socket, start: TlsServerStart): tls.TLSSocket {
  const { clientCertificate, context, protocols } = start;
  const secure = new tls.TLSSocket(carrier, {
    isServer: true,
    secureContext: context,
    requestCert: clientCertificate !== "none",
    rejectUnauthorized: clientCertificate === "required",
    ...(protocols.length > 0 ? { ALPNProtocols: [...protocols] } : {}),
  });
  secure.disableRenegotiation();
  return secure;
}

function newClient(carrier: net.Socket, start: TlsClientStart): tls.TLSSocket {
  const { context, protocols, session } = start;
  return new tls.TLSSocket(carrier, {
    isServer: false,
    secureContext: context,
    ...(protocols.length > 0 ? { ALPNProtocols: [...protocols] } : {}),
    ...(session === null ? {} : { session }),
  });
}

/** Answers of the handshake that only the handle asks for. */
export function hookHandle(handle: TlsHandle, start: TlsStart): void {
  const { onKeyLog } = start;
  if (onKeyLog !== null) {
    handle.onkeylog = (line): void => onKeyLog(line);
    handle.enableKeylogCallback();
  }
  if (start.side === "client") hookClient(handle, start);
  else hookServer(handle, start);
}

function hookClient(handle: TlsHandle, { onSession }: TlsClientStart): void {
  if (onSession === null) return;
  handle.onnewsession = (_id, session): void => onSession(session);
  handle.enableSessionCallbacks();
}

function hookServer(handle: TlsHandle, start: TlsServerStart): void {
  const { chooseContext, sessions, staple, ticketKeys } = start;
  useTicketKeys(start.context, ticketKeys);
  if (chooseContext !== null || staple !== null) {
    handle.oncertcb = function onCertificate(question): void {
      const name = typeof question.servername === "string" ? question.servername : "";
      const chosen = chooseContext === null ? null : chooseContext(name);
      const asksForStaple = question.OCSPRequest === true;
      const response = asksForStaple ? (staple?.(chosen ?? start.context) ?? null) : null;
      if (response === "refuse") {
        this.onerror(refusal());
        return;
      }
      if (chosen !== null) {
        useTicketKeys(chosen, ticketKeys);
        // The handle takes the place of all certificates by the last one of the context.
        this.sni_context = innerContext(chosen);
      }
      if (response !== null) this.setOCSPResponse(response);
      this.certCbDone();
    };
    handle.enableCertCb();
  }
  if (sessions === null) return;
  handle.onclienthello = function onHello({ sessionId, tlsTicket }): void {
    if (sessionId.length > 0 && !tlsTicket) this.loadSession(sessions.get(sessionId));
    this.clientHelloDone();
  };
  handle.onnewsession = function onNewSession(id, session): void {
    sessions.put(id, session);
    this.newSessionDone();
  };
  handle.enableSessionCallbacks();
}

/** In the form of OpenSSL's errors. */
function refusal(): Error {
  const reason = "cert cb error";
  return Object.assign(new Error(reason), { code: "ERR_SSL_CERT_CB_ERROR", reason });
}
