/** Builds the package into `folder` (default: dist); answers with the bundle's path and size. */
export function bundle(folder?: string): Promise<{ path: string; bytes: number }>;
