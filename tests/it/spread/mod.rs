//! Sites that are spread over several directories.

mod reading;
mod running;
mod writing;

use std::fs::{create_dir_all, rename};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use ctdl_dump::site::Arrangement;
use tempfile::TempDir;

use crate::support::{program, unpack_site};

fn run(arguments: &[&str]) -> Output {
    program().args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs it, and it must end with 0.
fn done(arguments: &[&str]) -> Output {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", said(&output));
    output
}

fn info(arguments: &[&str]) -> serde_json::Value {
    serde_json::from_slice(&done(&[&["info", "--json"], arguments].concat()).stdout).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A machine with a site as Debian's packages have it: the parts of one with one root, moved.
struct Machine(TempDir);

impl Machine {
    /// Nothing but the directories that the packages make.
    fn empty() -> Machine {
        let machine = Machine(TempDir::with_prefix("ctdl-dump-machine-").unwrap());
        for directory in ["var/lib", "etc/ssl", "var/spool", "usr/share/citadel-server", "var/run/citadel"] {
            create_dir_all(machine.at(directory)).unwrap();
        }
        machine
    }

    /// One on which the packages are installed, and the server has never been started.
    fn installed() -> Machine {
        let machine = Machine::empty();
        for directory in ["var/lib/citadel", "etc/citadel", "etc/ssl/citadel", "var/spool/citadel"] {
            create_dir_all(machine.at(directory)).unwrap();
        }
        machine
    }

    fn with(name: &str) -> Machine {
        let machine = Machine::empty();
        lay_out(name, machine.0.path());
        machine
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    /// The directory of the tables.
    fn site(&self) -> PathBuf {
        self.at("var/lib/citadel")
    }
}

/// Lays a site out as in Debian below a directory.
pub fn lay_out(name: &str, machine: &Path) {
    let site = unpack_site(name);
    let times = |path: &Path| {
        let modified = path.metadata().unwrap().modified().unwrap();
        std::fs::FileTimes::new().set_modified(modified)
    };
    let (root, classes) = Arrangement::debian(machine, None);
    create_dir_all(root.parent().unwrap()).unwrap();
    // Where things are moved out of, times change.
    let network = times(&site.path().join("network"));
    rename(site.path(), &root).unwrap();
    let arrangement = Arrangement::new(&root, classes).unwrap();
    for part in ["network/mail.aliases", "messages", "netconfigs", "help", "network", "keys"].into_iter().chain([
        "citadel.config",
        "citadel.control",
        "refcount_adjustments.dat",
    ]) {
        let place = arrangement.path_of(part.as_bytes());
        if root.join(part).exists() {
            create_dir_all(place.parent().unwrap()).unwrap();
            rename(root.join(part), place).unwrap();
        }
    }
    std::fs::File::open(machine.join("var/spool/citadel/network")).unwrap().set_times(network).unwrap();
}
