//! Writes what every face takes from the table of operations: the methods and types of Python and TypeScript, the
//! reference pages, and what no field may hold.
//!
//! `cargo run -p folkmoot-codegen` writes the files; with `-- --check` it writes nothing and ends with status 1 when one
//! is not what the table says, naming it.

mod config;
mod fields;
mod methods;
mod model;
mod pages;
mod parity;
mod python;
mod types;
mod typescript;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use model::Table;

/// A file that is generated: where it goes, and its text.
type Generated = (&'static str, String);

fn all() -> Vec<Generated> {
    let table = Table::read();
    vec![
        ("python/folkmoot/types.py", types::module(&table)),
        ("python/folkmoot/_operations.py", methods::module(&table, methods::Way::Sync)),
        ("python/folkmoot/_operations_async.py", methods::module(&table, methods::Way::Async)),
        ("node/src/generated/types.ts", typescript::types::module(&table)),
        ("node/src/generated/operations.ts", typescript::methods::module(&table)),
        ("node/src/generated/config.ts", typescript::config::module()),
        ("docs/reference/operations.md", pages::operations(&table)),
        ("docs/reference/parity.md", parity::page(&table)),
        ("docs/reference/config.md", config::page()),
        ("core/conformance/fields.json", fields::file(&table)),
    ]
}

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}

fn main() -> ExitCode {
    let only_check = std::env::args().any(|argument| argument == "--check");
    let mut failed = false;
    for (path, text) in all() {
        let file = root().join(path);
        if std::fs::read_to_string(&file).is_ok_and(|old| old == text) {
            continue;
        }
        if only_check {
            eprintln!("{path} is not what the table says: run `make generate` and commit it");
            failed = true;
        } else if let Err(error) = write(&file, &text) {
            eprintln!("{path} could not be written: {error}");
            failed = true;
        } else {
            println!("wrote {path}");
        }
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn write(file: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(file, text)
}
