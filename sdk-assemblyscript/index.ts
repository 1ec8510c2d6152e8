// The package's door for asc and editors, which look beside package.json: the SDK is in assembly/.
export * from "./assembly/index";
