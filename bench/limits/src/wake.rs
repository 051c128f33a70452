//! How soon a second process sees a commit, by the signal that tells it to look.
//!
//! The writer notes when each write starts and when its commit returns, the listener notes when it has
//! read the row; `CLOCK_MONOTONIC` is the same clock for both.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rusqlite::{Connection, params};
use rustix::mm::{MapFlags, ProtFlags, mmap};
use rustix::thread::futex;
use rustix::time::{ClockId, Timespec, clock_gettime};
use serde_json::json;

use crate::Outcome;
use crate::event::{Checkpoint, body, create, open};
use crate::line::{percentile_us, print, rounded};

const SIGNALS: [&str; 3] = ["futex", "datagram", "poll 1 ms"];
/// Long enough for the listener to fall asleep again between two writes.
const BETWEEN_WRITES: Duration = Duration::from_micros(2_500);
/// A listener looks by itself after this long, in case a signal was lost.
const PATIENCE: Duration = Duration::from_millis(100);

/// Each signal in turn.
pub fn measure(folder: &Path, time: Duration) -> Outcome<()> {
    let writes = (time.as_micros() / BETWEEN_WRITES.as_micros()).clamp(100, 1_000) as usize;
    SIGNALS.iter().try_for_each(|signal| one(folder, signal, writes))
}

fn one(folder: &Path, signal: &str, count: usize) -> Outcome<()> {
    let connection = create(folder, "NORMAL", Checkpoint::InCommit)?;
    let bell = Bell::in_folder(folder)?;
    let (mut listener, mut lines) = start_listener(folder, signal, count)?;
    let mut insert = connection.prepare("INSERT INTO event (kind, data) VALUES (?1, ?2)")?;
    let (mut started, mut committed) = (Vec::new(), Vec::new());
    for number in 0..count {
        std::thread::sleep(BETWEEN_WRITES + Duration::from_micros(number as u64 * 7_919 % 1_000));
        started.push(now());
        insert.execute(params!["memory.set", body(number as u64)])?;
        committed.push(now());
        bell.ring(signal);
    }
    let seen = lines.next().ok_or("the listener ended without a report")??;
    listener.wait()?;
    let seen: Vec<Duration> =
        seen.split(' ').filter_map(|ns| ns.parse().ok().map(Duration::from_nanos)).collect();
    let since = |from: &[Duration], part| {
        let mut times: Vec<Duration> =
            from.iter().zip(&seen).map(|(from, to)| to.saturating_sub(*from)).collect();
        rounded(percentile_us(&mut times, part))
    };
    let more = json!({
        "durability": "NORMAL",
        "p99": since(&started, 0.99),
        "after_commit_p50_us": since(&committed, 0.5),
        "after_commit_p99_us": since(&committed, 0.99),
    });
    let value = since(&started, 0.5).as_f64().unwrap_or_default();
    print("wake-up", &format!("write to seen, {signal}"), value, "us", more);
    Ok(())
}

fn start_listener(
    folder: &Path,
    signal: &str,
    count: usize,
) -> Outcome<(Child, impl Iterator<Item = std::io::Result<String>>)> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("listener").arg(folder).arg(signal).arg(count.to_string());
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let mut lines = BufReader::new(child.stdout.take().ok_or("no output")?).lines();
    lines.next().ok_or("the listener ended before it was ready")??;
    Ok((child, lines))
}

/// What the child does: waits for the signal, reads what is new, notes the time.
pub fn listen_as_child(folder: &Path, signal: &str, count: usize) -> Outcome<()> {
    let connection = open(folder, "NORMAL")?;
    let ear = Ear::in_folder(folder)?;
    println!("ready");
    let mut seen = Vec::with_capacity(count);
    let mut rung = ear.rung();
    while seen.len() < count {
        rung = ear.wait(signal, rung);
        read_new(&connection, &mut seen)?;
    }
    let times: Vec<String> = seen.iter().map(|time| time.as_nanos().to_string()).collect();
    println!("{}", times.join(" "));
    Ok(())
}

fn read_new(connection: &Connection, seen: &mut Vec<Duration>) -> Outcome<()> {
    let mut select = connection.prepare_cached("SELECT data FROM event WHERE seq > ?1 ORDER BY seq")?;
    let mut rows = select.query([seen.len() as i64])?;
    while let Some(row) = rows.next()? {
        std::hint::black_box(row.get::<_, Vec<u8>>(0)?);
        seen.push(now());
    }
    Ok(())
}

fn now() -> Duration {
    let time = clock_gettime(ClockId::Monotonic);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// The writer's end of every signal.
struct Bell {
    counter: &'static AtomicU32,
    socket: UnixDatagram,
    address: PathBuf,
}

impl Bell {
    fn in_folder(folder: &Path) -> Outcome<Self> {
        std::fs::write(folder.join("wake.counter"), [0; 4_096])?;
        let address = folder.join("wake.socket");
        let _ = std::fs::remove_file(&address);
        Ok(Self { counter: shared_counter(folder)?, socket: UnixDatagram::unbound()?, address })
    }

    fn ring(&self, signal: &str) {
        if signal == "futex" {
            self.counter.fetch_add(1, Ordering::SeqCst);
            let _ = futex::wake(self.counter, futex::Flags::empty(), i32::MAX as u32);
        } else if signal == "datagram" {
            let _ = self.socket.send_to(&[1], &self.address);
        }
    }
}

/// The listener's end.
struct Ear {
    counter: &'static AtomicU32,
    socket: UnixDatagram,
}

impl Ear {
    fn in_folder(folder: &Path) -> Outcome<Self> {
        let socket = UnixDatagram::bind(folder.join("wake.socket"))?;
        socket.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { counter: shared_counter(folder)?, socket })
    }

    fn rung(&self) -> u32 {
        self.counter.load(Ordering::SeqCst)
    }

    /// Returns when there may be something to read, with the counter as it stood then.
    fn wait(&self, signal: &str, rung: u32) -> u32 {
        match signal {
            "futex" => {
                let patience = Timespec { tv_sec: 0, tv_nsec: i64::from(PATIENCE.subsec_nanos()) };
                let _ = futex::wait(self.counter, futex::Flags::empty(), rung, Some(&patience));
            }
            "datagram" => {
                let _ = self.socket.recv(&mut [0; 1]);
            }
            _ => std::thread::sleep(Duration::from_millis(1)),
        }
        self.rung()
    }
}

/// A counter that both processes see, in a page of a file that both have mapped.
fn shared_counter(folder: &Path) -> Outcome<&'static AtomicU32> {
    let file = File::options().read(true).write(true).open(folder.join("wake.counter"))?;
    let rights = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: a new shared mapping at an address of the kernel's choice; it is never unmapped.
    let page = unsafe { mmap(std::ptr::null_mut(), 4_096, rights, MapFlags::SHARED, &file, 0)? };
    // SAFETY: the page is aligned, lives as long as the process, and is only ever used as this atomic.
    Ok(unsafe { AtomicU32::from_ptr(page.cast()) })
}
