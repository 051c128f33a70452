//! The Node package, when it is here: one of the team is a Node program.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use folkmoot::Error;

/// The program that Node runs.
const LINKER: &str = include_str!("linker.mjs");

/// How the Node program is started.
pub struct NodeProgram {
    /// Node, the program, and where the package is.
    pub command: [OsString; 3],
}

impl NodeProgram {
    /// Finds the package and sees whether it works; writes the program into this folder.
    pub fn find(relaunch: &[OsString], folder: &Path) -> Result<Option<NodeProgram>, Error> {
        let here = std::env::current_dir()?;
        let Some(entry) = places(relaunch, &here).find(|entry| works(entry)) else { return Ok(None) };
        let program = folder.join("linker.mjs");
        std::fs::write(&program, LINKER)?;
        Ok(Some(NodeProgram { command: ["node".into(), program.into(), entry.into()] }))
    }
}

/// Where the package may be: around the command that Node itself runs, among what is installed here, in the project.
fn places(relaunch: &[OsString], here: &Path) -> impl Iterator<Item = PathBuf> {
    let own = relaunch.get(1).map(Path::new).filter(|script| script.ends_with("cli.js"));
    let own = own.and_then(Path::parent).map(Path::to_path_buf);
    let around = here
        .ancestors()
        .flat_map(|folder| ["node_modules/folkmoot/dist", "node/dist"].map(|at| folder.join(at)));
    let folders: Vec<PathBuf> = own.into_iter().chain(around).collect();
    folders.into_iter().map(|folder| folder.join("index.mjs")).filter(|entry| entry.is_file())
}

/// Whether Node can load it.
fn works(entry: &Path) -> bool {
    let look = "const { Hub } = await import(require('node:url').pathToFileURL(process.argv[1])); Hub.open";
    let look = format!("(async () => {{ {look} }})()");
    let mut node = Command::new("node");
    node.arg("-e").arg(look).arg(entry);
    let status = node.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}
