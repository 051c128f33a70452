#!/usr/bin/env node
// The command line: `folkmoot` and `npx folkmoot`.

import { native } from "./native.js";

process.exitCode = native.cliMain(["folkmoot", ...process.argv.slice(2)], [process.execPath, __filename]);
