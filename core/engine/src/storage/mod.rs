//! One SQLite file, shared by any number of processes.
//!
//! Beside the file `team.db` lies its sidecar `team.db-moot`: a page of shared memory with the commit counter, the word
//! that wakes the other processes, and the locks that say whose turn it is to write. Nothing here opens the file, its
//! `-wal` or its `-shm` outside SQLite: closing such a handle would drop SQLite's own locks.

pub mod backup;
pub mod checkpoint;
pub mod connection;
pub mod schema;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use folkmoot_sys::sync::Mutex;
use folkmoot_sys::{Byte, Sidecar, TurnGuard};
use rusqlite::Connection;

use crate::clock::Time;
use crate::config::{Durability, HubConfig};
use crate::error::{Error, Result};
use crate::seams::Seams;
use crate::steady::Steady;

/// How many reading connections are kept for the next reader.
const IDLE_READERS: usize = 8;
/// How often a writer looks whether its file is still where it was.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// One snapshot of the tables.
pub struct Reader<'a> {
    /// The connection, inside a read transaction.
    pub db: &'a Connection,
    /// The wall clock.
    pub now: Time,
    /// The same without its jumps: deadlines are judged by it.
    pub steady: Time,
    /// The hub's configuration.
    pub config: &'a HubConfig,
}

/// What lies under the tables of a view of the past.
pub(crate) struct Under {
    /// Run by each reading connection: puts the log of the hub itself in place of the view's own tables.
    pub sql: String,
    /// The folder of the tables; goes away with the view.
    pub folder: tempfile::TempDir,
}

/// The file, its sidecar and its reading connections.
pub(crate) struct Storage {
    pub path: PathBuf,
    pub hub_id: [u8; 6],
    pub sidecar: Arc<Sidecar>,
    pub file_id: (u64, u64),
    /// The wall clock without its jumps, as this process has seen them.
    pub steady: Steady,
    readers: Mutex<Vec<Connection>>,
    looked: AtomicU64,
    /// The file was found gone or replaced: until it is back, reading would show what nobody else sees.
    displaced: AtomicBool,
    seams: Seams,
    config: HubConfig,
    under: Option<String>,
    /// Keeps the folder of a hub in memory, or of a view of the past, until it is closed.
    _folder: Option<tempfile::TempDir>,
}

impl Storage {
    /// Opens the file, creating it when it is not there; answers the storage and the connection that writes.
    pub fn open(
        path: &Path,
        config: &HubConfig,
        seams: &Seams,
        under: Option<Under>,
    ) -> Result<(Storage, Connection)> {
        schema::check_sqlite()?;
        // Forks are noticed, and SQLite is prepared for them, from before the first file is opened.
        let _ = folkmoot_sys::fork_generation();
        let (path, mut folder) = place(path)?;
        let under = under.map(|under| {
            folder = Some(under.folder);
            under.sql
        });
        connection::check_path(&path, config)?;
        look_first(&path, config, seams)?;
        let sidecar = open_sidecar(&path)?;
        sidecar.lock_shared(Byte::Version)?;
        let mut conn = connection::open(&path, config, seams, true)?;
        let timeout = Duration::from_secs_f64(config.write_timeout_seconds);
        let hub_id = {
            let _turn = turn(&sidecar, timeout)?;
            schema::prepare(&mut conn, config, seams)?
        };
        let file_id = folkmoot_sys::file_id(&path)?;
        let storage = Storage {
            path,
            hub_id,
            sidecar,
            file_id,
            steady: Steady::new(&*seams.clock),
            readers: Mutex::default(),
            looked: AtomicU64::new(0),
            displaced: AtomicBool::new(false),
            seams: seams.clone(),
            config: config.clone(),
            under,
            _folder: folder,
        };
        Ok((storage, conn))
    }

    /// Waits for this process's turn to write.
    pub fn take_turn(&self, timeout: Duration) -> Result<TurnGuard<'_>> {
        if self.config.read_only {
            return Err(read_only());
        }
        turn(&self.sidecar, timeout)
    }

    /// Refuses to go on when the file was deleted or replaced under this process.
    pub fn check_in_place(&self) -> Result<()> {
        let now = folkmoot_sys::boot_time().as_millis() as u64;
        if now < self.looked.load(Ordering::Relaxed) + LOOK_EVERY.as_millis() as u64 {
            return Ok(());
        }
        let found = self.look();
        self.displaced.store(found.is_err(), Ordering::Relaxed);
        if found.is_ok() {
            self.looked.store(now, Ordering::Relaxed);
        }
        found
    }

    /// Refuses to go on while the file is known to be gone; looks again, since it may be back.
    pub fn check_known_place(&self) -> Result<()> {
        if self.displaced.load(Ordering::Relaxed) { self.check_in_place() } else { Ok(()) }
    }

    fn look(&self) -> Result<()> {
        match folkmoot_sys::file_id(&self.path) {
            Ok(id) if id == self.file_id && self.sidecar.still_there() => Ok(()),
            Ok(_) => Err(self.gone("was replaced")),
            Err(_) => Err(self.gone("was deleted or moved")),
        }
    }

    /// Lets go of what this process holds of the hub, for others to take.
    pub fn let_go(&self) {
        for byte in [Byte::Housekeeper, Byte::Version] {
            if let Err(error) = self.sidecar.unlock(byte) {
                tracing::warn!(%error, ?byte, "a lock could not be let go");
            }
        }
    }

    fn gone(&self, how: &str) -> Error {
        Error::unavailable(format!("the file {} or its sidecar {how} while it was open", self.path.display()))
            .hint(
                "close this hub and open the file again; what was acknowledged is in the file that was moved",
            )
    }

    /// The shared commit counter: odd while a commit is under way.
    pub fn counter(&self) -> u64 {
        self.sidecar.commits().load(Ordering::Acquire)
    }

    /// Moves the counter on; answers it.
    pub fn bump_counter(&self) -> u64 {
        self.sidecar.commits().fetch_add(1, Ordering::AcqRel) + 1
    }

    /// Makes the counter even again if a writer died in its commit. Only for whoever has the turn.
    pub fn settle_counter(&self) {
        if self.counter() % 2 == 1 {
            self.bump_counter();
        }
    }

    /// Reads from one snapshot.
    pub fn read<T>(&self, f: impl FnOnce(&Reader<'_>) -> Result<T>) -> Result<T> {
        let conn = self.reader()?;
        conn.prepare_cached("BEGIN")?.execute([])?;
        let answer = f(&self.snapshot(&conn));
        let ended = conn.prepare_cached("COMMIT")?.execute([]);
        if ended.is_ok() {
            self.give_back(conn);
        }
        answer
    }

    /// Reads with a single statement: no transaction is needed around it.
    pub fn read_one<T>(&self, f: impl FnOnce(&Reader<'_>) -> Result<T>) -> Result<T> {
        let conn = self.reader()?;
        let answer = f(&self.snapshot(&conn));
        self.give_back(conn);
        answer
    }

    fn snapshot<'a>(&'a self, db: &'a Connection) -> Reader<'a> {
        let now = self.seams.clock.wall();
        Reader { db, now, steady: self.steady.at(now, self.seams.clock.boot()), config: &self.config }
    }

    /// A connection of its own, for work that takes long.
    pub fn connect(&self, writable: bool) -> Result<Connection> {
        let conn = connection::open(&self.path, &self.config, &self.seams, writable)?;
        // Another file may lie there by now.
        self.look().inspect_err(|_| self.displaced.store(true, Ordering::Relaxed))?;
        if let Some(sql) = &self.under {
            conn.execute_batch("PRAGMA query_only=OFF")?;
            conn.execute_batch(sql)?;
            conn.execute_batch("PRAGMA query_only=ON")?;
            let hub_id: Vec<u8> = conn.query_row("SELECT hub_id FROM hub", [], |row| row.get(0))?;
            if hub_id != self.hub_id {
                return Err(Error::unavailable("the file of the hub was replaced while its past was read")
                    .hint("close this view and open the file again"));
            }
        }
        Ok(conn)
    }

    fn reader(&self) -> Result<Connection> {
        match self.readers.lock().pop() {
            Some(conn) => Ok(conn),
            None => self.connect(false),
        }
    }

    fn give_back(&self, conn: Connection) {
        let mut readers = self.readers.lock();
        if readers.len() < IDLE_READERS {
            readers.push(conn);
        }
    }
}

/// The refusal of a hub that was opened to read only.
pub(crate) fn read_only() -> Error {
    Error::storage("this hub was opened read-only").hint("open it with read_only = false")
}

fn turn(sidecar: &Sidecar, timeout: Duration) -> Result<TurnGuard<'_>> {
    sidecar.take_turn(timeout, &|| false)?.ok_or_else(|| {
        let seconds = timeout.as_secs_f64();
        match sidecar.turn_owner() {
            Some(pid) => {
                Error::unavailable(format!("process {pid} has kept the turn to write for {seconds} seconds"))
                    .with("pid", pid)
                    .hint(format!(
                        "nothing of this call was kept; if process {pid} is stopped, `kill -CONT {pid}` lets it go on, \
                         then call again; reading goes on meanwhile"
                    ))
            }
            None => Error::unavailable(format!("no turn to write came within {seconds} seconds"))
                .hint("nothing of this call was kept; many are writing: call again, or raise write_timeout_seconds"),
        }
    })
}

fn sidecar_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-moot");
    PathBuf::from(name)
}

/// Refuses another program's file before a sidecar is put beside it. A file that has one was looked at before.
fn look_first(path: &Path, config: &HubConfig, seams: &Seams) -> Result<()> {
    let empty = std::fs::metadata(path).map_or(true, |meta| meta.len() == 0);
    if empty || sidecar_path(path).exists() {
        return Ok(());
    }
    schema::identify(&connection::open(path, config, seams, false)?).map(drop)
}

fn open_sidecar(path: &Path) -> Result<Arc<Sidecar>> {
    let name = sidecar_path(path);
    Sidecar::open(&name).map_err(|error| match error.kind() {
        std::io::ErrorKind::InvalidData => {
            Error::storage(format!("{} is not a folkmoot sidecar: {error}", name.display()))
                .hint("it was made by another program or a newer version; choose another path for the hub")
        }
        _ => Error::from(error),
    })
}

/// Where a hub lies: `:memory:` stands for a folder of its own that goes away with the hub, in memory where the system
/// offers such a file system.
fn place(path: &Path) -> Result<(PathBuf, Option<tempfile::TempDir>)> {
    if path != Path::new(":memory:") {
        let path = std::path::absolute(path)?;
        return Ok((path.canonicalize().unwrap_or(path), None));
    }
    let mut builder = tempfile::Builder::new();
    builder.prefix("folkmoot-");
    let shared_memory = Path::new("/dev/shm");
    let folder = match shared_memory.is_dir() {
        true => builder.tempdir_in(shared_memory).or_else(|_| builder.tempdir())?,
        false => builder.tempdir()?,
    };
    Ok((folder.path().join("hub.db"), Some(folder)))
}

/// Whether writes of this hub go to the disk before they are acknowledged.
pub(crate) fn sync_pragma(durability: Durability) -> &'static str {
    match durability {
        Durability::Full => "PRAGMA synchronous=FULL",
        Durability::Normal => "PRAGMA synchronous=NORMAL",
        Durability::Memory => "PRAGMA synchronous=OFF",
    }
}
