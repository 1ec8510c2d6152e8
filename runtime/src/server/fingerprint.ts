// Configuration as text, to see whether it has changed: by value, since snapshots arrive as clones.

/**
 * The same for the same settings. Where they stand in their file does not matter, nor which index
 * a plugin has in the snapshot.
 */
export function plainText(config: unknown): string {
  return JSON.stringify(config, (key: string, value: unknown): unknown => {
    if (key === "where" || key === "plugin") return undefined;
    // Whoever writes a log format names its keys as he likes.
    if (key === "json") return JSON.stringify(value);
    return value instanceof Uint8Array ? Buffer.from(value).toString("latin1") : value;
  });
}
