// Headgate's version and the Envoy release it is compared with.

/** As package.json's; a test compares them. */
export const VERSION = "0.1.0";

/** The release whose behaviour is reproduced. */
export const ENVOY_VERSION = { major: 1, minor: 40, patch: 0 } as const;
