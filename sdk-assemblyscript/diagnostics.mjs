// What asc said, as data and as lines that editors jump to: "path(line,column): error TS2322: ...".

const BEGIN = /^(ERROR|WARNING|INFO|PEDANTIC)(?: ([A-Z]+\d+))?: (.*)$/;
const PLACE = /└─ in (.+)\((\d+),(\d+)\)$/;

/**
 * The compiler's output as a list, with `file` as the compiler names it, `line` and `column` from 1.
 * `frame` is the piece of source that it shows, several lines. What it says beyond diagnostics, a
 * crash for instance, is left out.
 */
export function parseDiagnostics(output) {
  const found = [];
  let current = null;
  for (const line of output.split("\n")) {
    const begin = BEGIN.exec(line);
    const place = PLACE.exec(line);
    if (begin !== null) {
      const [, severity, code = "", message] = begin;
      current = {
        severity: severity.toLowerCase(),
        code,
        message,
        file: "",
        line: 0,
        column: 0,
        frame: "",
      };
      found.push(current);
    } else if (current === null || line.trim() === "" || line.startsWith("FAILURE ")) {
      current = null;
    } else if (place !== null) {
      // A second place is that of what the first does not fit.
      if (current.file === "") Object.assign(current, placeIn(place));
      else current.message += ` (see ${place[1]}(${place[2]},${place[3]}))`;
    } else if (current.file === "") {
      if (!/^\s*:$/.test(line)) current.frame += `${line}\n`;
    }
  }
  return found;
}

function placeIn([, file, line, column]) {
  return { file, line: Number(line), column: Number(column) };
}

/** One line as tsc writes it. */
export function diagnosticLine({ severity, code, message, file, line, column }) {
  const place = file === "" ? "" : `${file}(${line},${column}): `;
  return `${place}${severity}${code === "" ? "" : ` ${code}`}: ${message}`;
}

/** All of them, each with its piece of source. */
export function formatDiagnostics(diagnostics) {
  return diagnostics.map((one) => `${diagnosticLine(one)}\n${one.frame}`.trimEnd()).join("\n");
}
