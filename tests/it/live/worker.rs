//! A process that holds a lease, to be killed: this test program, started once more with one test alone.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use ctdl_dump::live::{Lease, Server};
use ctdl_dump::monitor::Silent;

use super::place::{PATIENCE, Place, means};

/// How the process is told what to do: site, state directory, process to be frozen or nothing.
const VARIABLE: &str = "CTDL_DUMP_TEST_LEASE";

pub struct Worker {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Worker {
    /// Starts a worker that takes a lease: freezes this process, or is single-user.
    pub fn start(place: &Place, freeze: Option<u32>) -> Self {
        let pid = freeze.map(|pid| pid.to_string()).unwrap_or_default();
        let told = format!("{}\n{}\n{pid}", place.site().display(), place.state_dir().display());
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "live::worker::a_process_that_holds_a_lease", "--ignored", "--nocapture"])
            .env(VARIABLE, told)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        Worker { child, input, output }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it says this; `false` if it ends before.
    pub fn says(&mut self, word: &str) -> bool {
        let mut line = String::new();
        while self.output.read_line(&mut line).unwrap() > 0 {
            if line.contains(word) {
                return true;
            }
            line.clear();
        }
        false
    }

    /// Lets it release its lease.
    pub fn release(&mut self) {
        self.input = None;
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        self.child.wait().unwrap();
    }
}

#[test]
#[ignore = "other tests start it as a process of its own"]
fn a_process_that_holds_a_lease() {
    let Ok(told) = std::env::var(VARIABLE) else { return };
    let [site, state_dir, pid] = told.split('\n').collect::<Vec<_>>().try_into().unwrap();
    let site = PathBuf::from(site);
    let pid = pid.parse().ok();
    let server = Server { admin_socket: site.join("citadel-admin.socket"), data: site.join("data"), site, pid };
    let means = means(state_dir.as_ref());
    let lease = match pid {
        Some(_) => Lease::freeze(&server, PATIENCE, &means, &Silent),
        None => Lease::single_user(&server, Duration::ZERO, PATIENCE, &means, &Silent),
    };
    let lease = lease.unwrap();
    println!("held");
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    lease.release().unwrap();
    println!("released");
}
