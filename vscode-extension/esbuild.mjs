// Bundles the extension into dist/extension.js, and beside it the licences of what went into it.
//   node esbuild.mjs [--production | --watch]
import { readFile, readdir, writeFile } from "node:fs/promises";
import path from "node:path";
import esbuild from "esbuild";

const production = process.argv.includes("--production");

/** @type {import("esbuild").BuildOptions} */
const options = {
  entryPoints: ["src/extension.ts"],
  outfile: "dist/extension.js",
  bundle: true,
  external: ["vscode"],
  format: "cjs",
  platform: "node",
  target: "node20", // VS Code 1.100 runs extensions on Node 20
  minify: production,
  sourcemap: !production,
  metafile: true,
  logLevel: "warning",
};

/** Names of the packages that a bundle took files from. */
function bundledPackages(metafile) {
  const names = Object.keys(metafile.inputs).flatMap((input) => {
    const [, inside] = /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input) ?? [];
    return inside === undefined ? [] : [inside];
  });
  return [...new Set(names)].sort();
}

/** Name, version and licence text of one installed package. */
async function notice(name) {
  const folder = path.join("node_modules", name);
  const { version, license } = JSON.parse(
    await readFile(path.join(folder, "package.json"), "utf8"),
  );
  const file = (await readdir(folder)).find((entry) => /^licen[cs]e/i.test(entry));
  if (file === undefined) {
    throw new Error(`${name} has no licence file`);
  }
  const text = await readFile(path.join(folder, file), "utf8");
  return `${name} ${version} (${license})\n\n${text.trim()}\n`;
}

if (process.argv.includes("--watch")) {
  const context = await esbuild.context({ ...options, logLevel: "info" });
  await context.watch();
} else {
  const { metafile } = await esbuild.build(options);
  const notices = await Promise.all(bundledPackages(metafile).map(notice));
  await writeFile("dist/THIRD_PARTY_NOTICES.txt", notices.join(`\n${"-".repeat(80)}\n\n`));
}
