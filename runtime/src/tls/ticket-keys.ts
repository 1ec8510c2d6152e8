// The keys that session tickets of TLS are made with and read by, and their change. Main makes
// those of the process; contexts may have their own from the configuration.
import type { TicketKey, TicketKeys } from "../engine/tls.ts";

/** As in Envoy's files: 16 bytes of a name, 32 to sign, 32 to encrypt. */
export const TICKET_KEY_BYTES = 80;

const NAME_BYTES = 16;
const SIGN_END = 48;
/** node:tls encrypts by AES-128. */
const ENCRYPT_END = 64;

/** Contexts hold it for ever; its keys change. */
export class TicketKeyRing implements TicketKeys {
  keys: readonly TicketKey[];

  constructor(keys: readonly Uint8Array[]) {
    this.keys = keys.map(ticketKeyOf);
  }

  /** The first makes tickets from now on; who is not named reads none any more. */
  replace(keys: readonly Uint8Array[]): void {
    this.keys = keys.map(ticketKeyOf);
  }
}

function ticketKeyOf(key: Uint8Array): TicketKey {
  const bytes = Buffer.from(key);
  return {
    name: bytes.subarray(0, NAME_BYTES),
    sign: bytes.subarray(NAME_BYTES, SIGN_END),
    encrypt: bytes.subarray(SIGN_END, ENCRYPT_END),
  };
}
