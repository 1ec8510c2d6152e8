// The admin interface's home page: state of the process and all commands, ready to be used by hand.
import { adminCommands, ownCommands } from "./admin-commands.ts";
import type { AdminCommand, AdminParameter } from "./admin-commands.ts";
import type { AdminDelegate, JsonValue } from "./admin-delegate.ts";
import type { AdminResponse } from "./admin-request.ts";

/** No script, nothing from elsewhere: it works in a closed network. */
const STYLE = `
:root { color-scheme: light dark; --line: #8883; --quiet: #8889; --accent: #2563eb; }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 0 auto; padding: 2rem 1rem; }
h1 { font-size: 1.5rem; margin: 0; }
header { display: flex; gap: 1rem; align-items: center; flex-wrap: wrap; margin-bottom: 1.5rem; }
.state { border-radius: 1rem; padding: 0 .75rem; color: #fff; background: #b45309; }
.state.live { background: #15803d; }
.fact { color: var(--quiet); }
table { border-collapse: collapse; width: 100%; }
tr { border-top: 1px solid var(--line); }
td { padding: .5rem .5rem .5rem 0; vertical-align: top; }
td:first-child { width: 16rem; white-space: nowrap; }
a { color: var(--accent); text-decoration: none; }
a:hover { text-decoration: underline; }
button { font: inherit; padding: .1rem .6rem; border: 1px solid var(--line); border-radius: .4rem; }
details { margin-top: .25rem; }
summary { color: var(--quiet); cursor: pointer; }
label { display: grid; grid-template-columns: 10rem 14rem 1fr; gap: .5rem; margin: .25rem 0; }
label span { color: var(--quiet); font-size: .85rem; }
input, select { font: inherit; min-width: 0; }
`;

export function homePage(delegate: AdminDelegate): AdminResponse {
  const info = delegate.serverInfo();
  const state = delegate.state();
  const body = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Headgate admin</title>
<style>${STYLE}</style>
</head>
<body>
<header>
<h1>Headgate</h1>
<span class="state${state === "LIVE" ? " live" : ""}">${escapeHtml(state)}</span>
<span class="fact">${textOf(info["version"])}</span>
<span class="fact">up ${textOf(info["uptime_current_epoch"])}</span>
</header>
<table>
${[...adminCommands, ...ownCommands]
  .filter((command) => command.path !== "/")
  .map(row)
  .join("\n")}
</table>
</body>
</html>
`;
  return { status: 200, contentType: "text/html; charset=UTF-8", body };
}

function row(command: AdminCommand): string {
  const { path, help, mutates } = command;
  const name = escapeHtml(path);
  const first = mutates
    ? `<button form="${name}">${name}</button>`
    : `<a href="${name}">${name}</a>`;
  return `<tr><td>${first}</td><td>${escapeHtml(help)}${form(command)}</td></tr>`;
}

/** Links without parameters need no form. */
function form({ path, mutates, parameters }: AdminCommand): string {
  if (!mutates && parameters.length === 0) return "";
  const name = escapeHtml(path);
  const start = `<form id="${name}" action="${name}" method="${mutates ? "post" : "get"}">`;
  if (parameters.length === 0) return `${start}</form>`;
  const fields = parameters.map(field).join("");
  const whole = `${start}${fields}<button>send</button></form>`;
  return `<details><summary>parameters</summary>${whole}</details>`;
}

/** Empty fields would be sent too; the server takes "" for "not given" where that matters. */
function field({ name, help, oneOf }: AdminParameter): string {
  const key = escapeHtml(name);
  const isFlag = flags.has(name);
  const input = isFlag
    ? `<input type="checkbox" name="${key}" value="true">`
    : oneOf === ""
      ? `<input name="${key}">`
      : `<select name="${key}">${options(oneOf)}</select>`;
  return `<label>${key}${input}<span>${escapeHtml(help)}</span></label>`;
}

/** Parameters whose presence alone counts. */
const flags: ReadonlySet<string> = new Set([
  "usedonly",
  "invert_filter",
  "text_readouts",
  "include_eds",
  "graceful",
  "skip_exit",
  "inboundonly",
  "off",
]);

/** HTML pages of stats are not served here. */
function options(oneOf: string): string {
  const values = oneOf.split(", ").filter((v) => v !== "" && !v.endsWith("html"));
  const all = values.map((value) => `<option>${escapeHtml(value)}</option>`).join("");
  return `<option value=""></option>${all}`;
}

/** A text of the server's information; "" when it is something else. */
function textOf(value: JsonValue | undefined): string {
  return typeof value === "string" ? escapeHtml(value) : "";
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => entities[char] as string);
}
