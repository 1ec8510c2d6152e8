// The door to assembly/kit/gzip.ts.
export * from "../assembly/kit/gzip";
