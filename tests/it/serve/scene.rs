//! A site whose server is a stand-in, and who serves it.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ctdl_dump::wire::{Client, Code, WireError};
use rustix::process::Pid;
use tempfile::TempDir;

use super::server::{LIMIT, Serving, client};
use crate::live::stand_in::Citadel;
use crate::snapshot::StandIn;
use crate::support::unpack_site;

/// A site whose server is a stand-in, and who serves it at a socket.
pub struct Scene {
    pub serving: Serving,
    pub citadel: Citadel,
    /// Gone when its server has stopped.
    _holder: Arc<Mutex<Option<StandIn>>>,
    pub site: TempDir,
    pub socket: std::path::PathBuf,
    pub state: std::path::PathBuf,
}

impl Scene {
    /// Serves a site of its own.
    pub fn new() -> Self {
        let (site, work) = (unpack_site("small"), tempfile::tempdir().unwrap());
        let holder = StandIn::start(site.path());
        let admin_socket = site.path().join("citadel-admin.socket");
        let citadel = Citadel::start(&admin_socket, Some("25"));
        let holder = Arc::new(Mutex::new(Some(holder)));
        let held = Arc::clone(&holder);
        citadel.state().on_down = Some(Box::new(move || {
            fs::remove_file(admin_socket).unwrap();
            drop(held.lock().unwrap().take());
        }));
        let (socket, state) = (work.path().join("wire.socket"), work.path().join("state"));
        let serving = serve(work, site.path(), &socket);
        Scene { serving, citadel, _holder: holder, site, socket, state }
    }

    /// A connection, and a client that speaks over it.
    pub fn connect(&self) -> (UnixStream, Client<UnixStream, UnixStream>) {
        let stream = UnixStream::connect(&self.socket).unwrap();
        (stream.try_clone().unwrap(), client(stream.try_clone().unwrap(), stream))
    }

    /// The server's limit of sessions.
    pub fn limit(&self) -> String {
        self.citadel.limit().unwrap()
    }

    /// Waits until the server has its own limit again.
    pub fn wait_until_given_back(&self) {
        self.wait_for_limit("25");
    }

    /// Waits until the server has this limit of sessions.
    pub fn wait_for_limit(&self, limit: &str) {
        let deadline = Instant::now() + LIMIT;
        while self.limit() != limit {
            assert!(Instant::now() < deadline, "the server's limit does not become {limit}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The process that guards the server, by the record of the lease.
    pub fn guardian(&self) -> Pid {
        let mut records = fs::read_dir(&self.state).unwrap().map(|entry| entry.unwrap().path());
        let record = records.find(|path| path.extension().is_some_and(|end| end == "undo")).expect("a lease");
        let record = fs::read_to_string(record).unwrap();
        let line = record.lines().find_map(|line| line.strip_prefix("guardian ")).expect("a guardian");
        Pid::from_raw(line.split(' ').next().unwrap().parse().unwrap()).unwrap()
    }

    /// What is written down of the server: to be undone, or that it was left closed.
    pub fn records(&self) -> usize {
        let found = fs::read_dir(&self.state).unwrap().map(|entry| entry.unwrap().path());
        found.filter(|path| path.extension().is_some_and(|end| end == "undo" || end == "left")).count()
    }
}

/// Serves a site at a socket.
pub fn serve(work: TempDir, site: &Path, socket: &Path) -> Serving {
    let scratch = work.path().to_str().unwrap().to_owned();
    let arguments = ["--scratch", &scratch, "--socket", socket.to_str().unwrap(), site.to_str().unwrap()];
    let serving = Serving::start(work, &arguments);
    serving.logged("listening at unix:");
    serving
}

/// The code with which something was refused.
pub fn code<T>(result: Result<T, WireError>) -> Code {
    match result {
        Err(WireError::Refused { code, .. }) => code,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it was not refused"),
    }
}
