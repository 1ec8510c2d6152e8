// How listeners of one worker stop accepting without a loss: first they take what the kernel has
// queued for them. Called by worker-version.ts.
import type { Listener } from "../network/listener.ts";

/** A listener under a storm of new connections has no quiet turn: it closes after so many. */
const TURNS_MAX = 100;

/**
 * Closes listeners after a turn of the event loop in which nobody came: what stood in their accept
 * queues is served. Between that turn and the close lie microseconds, whose connections only
 * net.ipv4.tcp_migrate_req saves.
 */
export function stopListeningWhenQuiet(
  listeners: readonly Listener[],
  nextTurn: (callback: () => void) => void,
  done: () => void,
): void {
  let last = -1;
  let turns = 0;
  const look = (): void => {
    let accepted = 0;
    for (const listener of listeners) accepted += listener.acceptedCount;
    turns += 1;
    if (accepted !== last && turns < TURNS_MAX) {
      last = accepted;
      nextTurn(look);
      return;
    }
    for (const listener of listeners) listener.stopListening();
    done();
  };
  nextTurn(look);
}
