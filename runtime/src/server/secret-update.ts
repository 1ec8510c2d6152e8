// New secrets for the version in force in one worker, put into their slots by commit. Made by
// worker.ts.
import { SecretSlots } from "../tls/secret-slots.ts";
import type { PrepareSecretsMessage } from "./protocol.ts";

export class SecretUpdate {
  readonly version: number;
  readonly #slots: SecretSlots;

  constructor(message: PrepareSecretsMessage, current: SecretSlots | null) {
    this.version = message.version;
    this.#slots = new SecretSlots(message.secrets, current);
  }

  commit(): void {
    this.#slots.commit();
  }

  abort(): void {}
}
