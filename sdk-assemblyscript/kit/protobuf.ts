// The door to assembly/kit/protobuf.ts.
export * from "../assembly/kit/protobuf";
