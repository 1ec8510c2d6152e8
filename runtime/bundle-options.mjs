// How esbuild makes what is published: files for Node.js that need nothing beside them.

/** Of all bundles. */
export const BUNDLE = {
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node24",
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: "none",
  logLevel: "warning",
  // Bundled CommonJS asks for `require`.
  banner: {
    js: 'import{createRequire as __headgateRequire}from"node:module";const require=__headgateRequire(import.meta.url);',
  },
};
