// The door to assembly/kit/gunzip.ts.
export * from "../assembly/kit/gunzip";
