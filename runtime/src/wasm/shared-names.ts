// The names of the shared store's directory: latin1 text; ids are text of the configuration, names
// are bytes of guests.

export function keyOf(kind: string, vmId: string, name: string): string {
  return `${kind}${vmId.length}:${vmId}${name}`;
}

/** The vm_id of a key. */
export function vmIdOf(key: string): string {
  const colon = key.indexOf(":");
  return key.slice(colon + 1, colon + 1 + Number(key.slice(1, colon)));
}

/** FNV-1a. */
export function hashOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i += 1) {
    hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  }
  return hash;
}

/** Before the vm_ids of what that version, and those after it, begin with nothing. */
export function freshSpace(plugin: string, version: string): string {
  return `fresh\0${Buffer.from(plugin).toString("latin1")}\0${version}\0`;
}

/** Before the vm_ids of what shadows of that plugin write. */
export function shadowSpace(plugin: string): string {
  return `shadow\0${Buffer.from(plugin).toString("latin1")}\0`;
}
