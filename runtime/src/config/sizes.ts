// How much of a kind a configuration may have: shared memory has room for so many.

export const clustersMax = 8192;
export const listenersMax = 4096;
