// How listeners of one worker stop accepting without a loss: first they take what the kernel has
// queued for them. Called by worker-version.ts.
import type { Listener } from "../network/listener.ts";
import type { Counter } from "../stats/store.ts";

/** A listener under a storm of new connections has no quiet turn: it closes after so many. */
const TURNS_MAX = 3000;

/**
 * Closes each listener after a turn of the event loop in which nobody came to it: what stood in its
 * accept queue is served. Between that turn and the close lie microseconds, whose connections only
 * net.ipv4.tcp_migrate_req saves.
 */
export function stopListeningWhenQuiet(
  listeners: readonly Listener[],
  nextTurn: (callback: () => void) => void,
  /** Listeners that closed while they were busy. */
  impatient: Counter,
  done: () => void,
): void {
  let open = [...listeners];
  let counts = open.map(() => -1);
  let turns = 0;
  const look = (): void => {
    turns += 1;
    const busy = open.filter((listener, index) => {
      if (listener.acceptedCount !== counts[index]) {
        if (turns < TURNS_MAX) return true;
        impatient.inc();
      }
      listener.stopListening();
      return false;
    });
    if (busy.length === 0) {
      done();
      return;
    }
    open = busy;
    counts = busy.map((listener) => listener.acceptedCount);
    nextTurn(look);
  };
  nextTurn(look);
}
