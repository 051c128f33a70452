// Builds the native part with the workspace's own graph and puts it where the package looks for it.
//
//     node scripts/addon.mjs [--release]

import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, renameSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(dirname(fileURLToPath(import.meta.url)));
const release = process.argv.includes("--release");

// The whole workspace in a debug build: its features are shared, so one package alone would be built a second time.
const what = release ? ["--release", "-p", "folkmoot-node"] : ["--workspace"];
const built = spawnSync("cargo", ["build", "-q", "--message-format=json-render-diagnostics", ...what], {
  cwd: dirname(here),
  stdio: ["ignore", "pipe", "inherit"],
  maxBuffer: 1 << 30,
  encoding: "utf8",
});
if (built.status !== 0) process.exit(built.status ?? 1);
const library = built.stdout
  .split("\n")
  .filter((line) => line.includes('"compiler-artifact"') && line.includes("folkmoot_node"))
  .map((line) => JSON.parse(line))
  .findLast((artifact) => artifact.target.name === "folkmoot_node");
if (library === undefined) throw new Error("cargo did not say where it put the native part");

const { platform, arch } = process;
const musl = platform === "linux" && !process.report.getReport().header.glibcVersionRuntime;
const name = { linux: `linux-${arch}-${musl ? "musl" : "gnu"}`, win32: `win32-${arch}-msvc` }[platform];
const file = join(here, "native", `folkmoot.${name ?? `${platform}-${arch}`}.node`);
mkdirSync(dirname(file), { recursive: true });
// A process that has the old one loaded keeps it: the new one takes its name, not its place.
copyFileSync(library.filenames[0], `${file}.new`);
renameSync(`${file}.new`, file);
