/** Top-level variables that are set once, where they stand, become constants. */
export function withConstants(source: string): string;
