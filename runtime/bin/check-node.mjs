// Plain JavaScript on purpose: it must parse on any Node.js.
const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 24 || (major === 24 && minor < 15)) {
  console.error(
    `Headgate needs Node.js >= 24.15, but is running on ${process.version}.\n` +
      'Run "npm ci" in the repository root (it installs a pinned Node.js), then "npm start" or "npm test".',
  );
  process.exit(78);
}
