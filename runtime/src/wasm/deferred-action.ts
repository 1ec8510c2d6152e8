// Something that a guest asked for, to be done when its callback has returned. Used by vm.ts.
import type { LocalReply } from "../filter/http-filter.ts";
import type { Context, DeferredKind } from "./context.ts";

export class DeferredAction {
  readonly context: Context;
  /** A context serves one stream after another, under new ids. */
  readonly contextId: number;
  readonly kind: DeferredKind;
  readonly reply: LocalReply | null;

  constructor(context: Context, kind: DeferredKind, reply: LocalReply | null) {
    this.context = context;
    this.contextId = context.id;
    this.kind = kind;
    this.reply = reply;
  }
}
