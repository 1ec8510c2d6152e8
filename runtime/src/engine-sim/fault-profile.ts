// How bad the simulated network is: probabilities and ranges, read by sim-network.ts for each
// connection and each step of it.

export type Range = readonly [min: number, max: number];

export interface FaultProfile {
  /** Milliseconds that bytes travel. */
  readonly latencyMs: Range;
  /** A send that travels `stallMs` longer. */
  readonly stallChance: number;
  readonly stallMs: Range;
  /** Bytes that fit between writer and reader, per direction; small values as likely as large. */
  readonly kernelBytes: Range;
  /** A connection of which the reads are a few bytes each. */
  readonly tinyReadsChance: number;
  /** A read that brings a part of what is there. */
  readonly shortReadChance: number;
  /** A write of which only a part is taken although there is room. */
  readonly shortWriteChance: number;
  /** A connect that is refused, unreachable, or never answered (ETIMEDOUT after two minutes). */
  readonly refuseChance: number;
  readonly unreachableChance: number;
  readonly lostConnectChance: number;
  /** A connection that is reset in the middle, in both directions, after so much time. */
  readonly cutChance: number;
  readonly cutAfterMs: Range;
  /** A connection on which nothing arrives any more after so much time; ETIMEDOUT in the end. */
  readonly hangChance: number;
  readonly hangAfterMs: Range;
  /** A reset that takes what had arrived and was not read. */
  readonly resetDropsUnreadChance: number;
}

/** Nothing goes wrong; sizes and delays still vary. */
export const calmNetwork: FaultProfile = {
  latencyMs: [0, 3],
  stallChance: 0,
  stallMs: [0, 0],
  kernelBytes: [4096, 262_144],
  tinyReadsChance: 0,
  shortReadChance: 0.1,
  shortWriteChance: 0.05,
  refuseChance: 0,
  unreachableChance: 0,
  lostConnectChance: 0,
  cutChance: 0,
  cutAfterMs: [0, 0],
  hangChance: 0,
  hangAfterMs: [0, 0],
  resetDropsUnreadChance: 0,
};

/** Nothing goes wrong, through a small pipe: answers take a while to leave. */
export const narrowNetwork: FaultProfile = {
  ...calmNetwork,
  latencyMs: [0, 10],
  kernelBytes: [24, 1024],
  shortReadChance: 0.2,
};

/** Bytes come in drops and late, but all of them come. */
export const choppyNetwork: FaultProfile = {
  ...calmNetwork,
  latencyMs: [0, 20],
  stallChance: 0.02,
  stallMs: [20, 400],
  kernelBytes: [1, 32_768],
  tinyReadsChance: 0.15,
  shortReadChance: 0.5,
  shortWriteChance: 0.3,
};

/** As choppy, and connections fail at any time. */
export const brokenNetwork: FaultProfile = {
  ...choppyNetwork,
  stallChance: 0.01,
  stallMs: [50, 4000],
  refuseChance: 0.04,
  unreachableChance: 0.01,
  lostConnectChance: 0.02,
  cutChance: 0.12,
  cutAfterMs: [0, 600],
  hangChance: 0.03,
  hangAfterMs: [0, 400],
  resetDropsUnreadChance: 0.5,
};
