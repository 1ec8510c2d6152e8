// Several HTTP calls at a time whose answers are looked at together.
import { Action } from "./abi";
import { utf8Text } from "./bytes";
import { CallFailure, HttpCall, HttpCallResponse } from "./http-call";
import { HeaderPair } from "./pairs";
import { asciiLower } from "./text";

/** One of the answers, copied: it stays readable. */
export class GatheredResponse {
  /** Why there is no answer; `CallFailure.None` when there is one. */
  readonly failure: CallFailure;
  /** Status code; 0 when nothing came. */
  readonly status: u32;
  /** Headers in their order. */
  readonly headers: HeaderPair[];
  /** The whole body; empty when there is none. */
  readonly body: Uint8Array;

  constructor(response: HttpCallResponse) {
    this.failure = response.failure;
    this.status = response.status;
    this.headers = response.headers.pairs();
    this.body = response.bytes();
  }

  /** As HttpCallResponse.ok. */
  get ok(): bool {
    return this.failure == CallFailure.None;
  }

  /** The first value of a header; null when there is none. */
  header(name: string): string | null {
    const wanted = asciiLower(name);
    for (let i = 0, k = this.headers.length; i < k; i++) {
      if (this.headers[i].name == wanted) return this.headers[i].value;
    }
    return null;
  }

  /** The body as UTF-8 text. */
  text(): string {
    return utf8Text(this.body);
  }
}

abstract class GatherTask {
  readonly answers: Array<GatheredResponse | null> = [];
  left: i32 = 0;
  protected abstract done(answers: GatheredResponse[]): Action;

  /** Keeps an answer; the last one calls the author's callback. */
  collect(index: i32, response: HttpCallResponse): Action {
    this.answers[index] = new GatheredResponse(response);
    this.left--;
    if (this.left > 0) return Action.Pause;
    const all: GatheredResponse[] = [];
    for (let i = 0; i < this.answers.length; i++) all.push(this.answers[i]!);
    return this.done(all);
  }
}

class GatherCallBack<T> extends GatherTask {
  constructor(
    private readonly self: T,
    private readonly callback: (self: T, answers: GatheredResponse[]) => Action,
  ) {
    super();
  }

  protected done(answers: GatheredResponse[]): Action {
    return this.callback(this.self, answers);
  }
}

class GatherSlot {
  constructor(
    readonly task: GatherTask,
    readonly index: i32,
  ) {}
}

/**
 * Calls that go out together: `add` each, then `send` once. The callback comes when all have
 * answered or failed, with the answers in the order of `add`.
 */
export class Gather {
  private readonly calls: HttpCall[] = [];

  /** Adds a call that is not sent yet. */
  add(call: HttpCall): this {
    this.calls.push(call);
    return this;
  }

  /**
   * Sends all. `callback`, what is returned and what the callback returns are as with HttpCall.send.
   * Without any call it returns `Action.Continue`, and the callback never comes.
   */
  send<T>(self: T, callback: (self: T, answers: GatheredResponse[]) => Action): Action {
    const task = new GatherCallBack<T>(self, callback);
    const count = this.calls.length;
    task.left = count;
    for (let i = 0; i < count; i++) task.answers.push(null);
    for (let i = 0; i < count; i++) {
      this.calls[i].send(new GatherSlot(task, i), (slot, response) => {
        return slot.task.collect(slot.index, response);
      });
    }
    return count == 0 ? Action.Continue : Action.Pause;
  }
}
