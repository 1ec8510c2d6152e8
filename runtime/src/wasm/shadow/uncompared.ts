// Why the versions of a stream were not compared.

/**
 * "stopped": the guest of the version that is tried; "primary_stopped": that of the one that
 * serves; "over_limit": copies were too large. Their places in this list are those of their counts.
 */
export const uncomparedReasons = ["stopped", "over_limit", "primary_stopped"] as const;
export type UncomparedReason = (typeof uncomparedReasons)[number];
