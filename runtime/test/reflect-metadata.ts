// The three functions that @peculiar/x509 wants of Reflect. Import it before that package: what the
// package calls in, tsyringe, ends the process where they are missing.

type Keys = Map<unknown, unknown>;

const known = new WeakMap<object, Keys>();

function getOwnMetadata(key: unknown, target: object): unknown {
  return known.get(target)?.get(key);
}

function getMetadata(key: unknown, target: object): unknown {
  for (let at: object | null = target; at !== null; at = Object.getPrototypeOf(at)) {
    if (known.get(at)?.has(key) === true) return getOwnMetadata(key, at);
  }
  return undefined;
}

function defineMetadata(key: unknown, value: unknown, target: object): void {
  const keys: Keys = known.get(target) ?? new Map();
  known.set(target, keys.set(key, value));
}

if (!("getMetadata" in Reflect)) {
  Object.assign(Reflect, { getMetadata, getOwnMetadata, defineMetadata });
}
