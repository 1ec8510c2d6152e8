// The process log as rooms see it; server/process-log.ts writes it.

/** Envoy's levels, least important first. */
export const LogLevel = {
  Trace: 0,
  Debug: 1,
  Info: 2,
  Warning: 3,
  Error: 4,
  Critical: 5,
  Off: 6,
} as const;
export type LogLevel = (typeof LogLevel)[keyof typeof LogLevel];

/**
 * A logger of one component ("main", "wasm", "router", ...). Lower-case text without a full stop.
 */
export interface Logger {
  /** Ask before building a costly message. */
  enabled(level: LogLevel): boolean;
  log(level: LogLevel, message: string): void;
}

/** Gives one logger per component; levels change at run time by /logging. */
export interface LoggerFactory {
  logger(component: string): Logger;
}

/** Says nothing; for tests and defaults. */
export const silentLogger: Logger = {
  enabled: () => false,
  log: () => {},
};
