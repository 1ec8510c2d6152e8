// The AssemblyScript compiler as a process of its own: loaded once, it compiles what its parent sends,
// one thing after the other, until the parent ends it. Started by asc.mjs only.
import { createMemoryStream, main } from "assemblyscript/asc";

process.on("message", (work) => {
  compile(work).then(
    (answer) => process.send(answer),
    (error) => process.send({ id: work.id, isDone: false, output: String(error?.stack ?? error) }),
  );
});
process.on("disconnect", () => process.exit());

async function compile({ id, args, cwd, env }) {
  process.chdir(cwd);
  // The transform looks there, too, for where the module goes.
  process.argv.splice(2, Infinity, ...args);
  Object.assign(process.env, env);
  const output = createMemoryStream();
  try {
    // asc writes colours where the environment has CI, whatever it writes to.
    // A crash of asc's own is written to stderr, and ends this process.
    const { error } = await main(["--noColors", ...args], { stdout: output, stderr: output });
    const rssBytes = process.memoryUsage.rss();
    return { id, isDone: error === null, output: output.toString(), rssBytes };
  } finally {
    for (const name of Object.keys(env)) delete process.env[name];
  }
}
