#!/usr/bin/env node
// `npm create @headgate/filter`: what `headgate filter new` does. Plain JavaScript on purpose: it must
// parse on any Node.js, to say which one it needs.
const [major, minor] = process.versions.node.split(".").map(Number);

function needNode(most, least) {
  if (major > most || (major === most && minor >= least)) return;
  console.error(
    `npm create @headgate/filter needs Node.js >= ${most}.${least}, but is running on ` +
      `${process.version}. The project that it writes brings its own.`,
  );
  process.exit(78);
}

function howToCall(text) {
  return text
    .replace("filter new NAME [flags]", "filter new NAME -- [flags]")
    .replace(/(headgate filter new [^\s\]]+) --(\w)/g, "$1 -- --$2")
    .replace(/headgate filter new/g, "npm create @headgate/filter");
}

needNode(20, 12);
const { existsSync } = await import("node:fs");
const packed = new URL("./dist/new.mjs", import.meta.url);
const source = new URL("../../runtime/src/cli/filter/new.ts", import.meta.url);
// In the repository it runs from the sources, which older ones do not read.
const isInRepository = existsSync(source) && existsSync(new URL("../templates", import.meta.url));
if (isInRepository) needNode(24, 15);
const { command } = await import((isInRepository ? source : packed).href);
const args = process.argv.slice(2);
if (args.includes("--help") || args.includes("-h")) {
  process.stdout.write(howToCall(command.help));
} else {
  try {
    process.exitCode = await command.run(args);
  } catch (error) {
    if (error?.name !== "UsageError") throw error;
    console.error(`headgate: ${error.message}\nnpm create @headgate/filter -- --help tells more`);
    process.exitCode = 2;
  }
}
