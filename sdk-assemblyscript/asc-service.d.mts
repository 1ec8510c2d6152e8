// Types of asc-service.mjs, for the setup of test runs.
/** Where the service is that this process shall use; "" = there is none. */
export function servicePlace(): string;
/** For this process and those that it starts from now on; resolves with a function that ends it. */
export function startAscService(): Promise<() => void>;
