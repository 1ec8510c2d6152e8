// Types of bundle-proxy.mjs, for the setup of test runs.
export function bundleProxy(folder: string): Promise<string[]>;
