// Compilers that stay, for many processes: who runs many builds starts the service, a test run for instance,
// and the builds of all processes that it starts compile there. Loaded once, asc takes a quarter of the time
// for a debug module (0.45 s of a core, not 1.9), and two fifths for a release one. Plain JavaScript: it
// runs before anything else.
import { mkdtempSync, rmSync } from "node:fs";
import { createConnection, createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { AscError, ResidentAsc } from "./asc-resident.mjs";

/** In the environment: the service's socket, and whose it is: another SDK compiles by itself. */
const PLACE = "HEADGATE_ASC_SERVICE";
const OWNER = import.meta.dirname;
/** As many compilers as there are turns at them. */
const COMPILERS = 2;

/** Where the service is that this process shall use; "" = there is none. */
export function servicePlace() {
  const [place = "", owner] = (process.env[PLACE] ?? "").split(delimiter);
  return owner === OWNER ? place : "";
}

/**
 * Starts the service for this process and those that it starts from now on. Compilers are started by the
 * first orders. Resolves with a function that ends it.
 */
export async function startAscService() {
  const folder = mkdtempSync(join(tmpdir(), "headgate-asc-"));
  const compilers = Array.from({ length: COMPILERS }, () => ({ asc: null, orders: 0 }));
  const server = createServer({ allowHalfOpen: true }, (socket) => void serve(socket, compilers));
  const place = join(folder, "socket");
  await new Promise((resolve, reject) => {
    server.once("error", reject).listen(place, resolve);
  });
  server.unref();
  process.env[PLACE] = [place, OWNER].join(delimiter);
  return () => {
    delete process.env[PLACE];
    server.close();
    for (const { asc } of compilers) asc?.stop();
    rmSync(folder, { recursive: true, force: true });
  };
}

/** As a ResidentAsc's `compile`, at the service. */
export async function compileAtService(args, cwd, env, timeMaxMs) {
  const socket = createConnection({ path: servicePlace(), allowHalfOpen: true });
  send(socket, { args, cwd, env, timeMaxMs });
  const { said, problem } = await receive(socket);
  if (problem !== undefined) throw new AscError(problem, said);
  return said;
}

async function serve(socket, compilers) {
  // Who has ended does not hear it.
  socket.on("error", () => {});
  const least = compilers.reduce((a, b) => (b.orders < a.orders ? b : a));
  least.orders += 1;
  try {
    const { args, cwd, env, timeMaxMs } = await receive(socket);
    least.asc ??= new ResidentAsc();
    send(socket, { said: await least.asc.compile(args, cwd, env, timeMaxMs) });
  } catch (error) {
    const { message, output = "" } = error;
    const problem = output === "" ? message : message.slice(0, -output.length - 1);
    send(socket, { said: output, problem });
  } finally {
    least.orders -= 1;
  }
}

/** One message each way, and each ends its side behind it. */
function send(socket, message) {
  socket.end(JSON.stringify(message));
}

function receive(socket) {
  return new Promise((resolve, reject) => {
    let text = "";
    socket.setEncoding("utf8").on("data", (chunk) => {
      text += chunk;
    });
    socket.once("error", reject).once("end", () => {
      if (text === "") reject(new Error("the compiler's service has ended"));
      else resolve(JSON.parse(text));
    });
  });
}
