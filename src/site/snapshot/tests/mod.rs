//! Small sites that are copied, and a server that goes on working on them.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::*;
use crate::monitor::Monitor;

mod files;
mod logs;
mod scratch;
mod space;
mod tables;

/// A site, and a place for its copy beside it.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        let place = Place(tempfile::tempdir().unwrap());
        for directory in ["site/data", "site/files", "copy"] {
            fs::create_dir_all(place.path(directory)).unwrap();
        }
        place
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn data(&self) -> PathBuf {
        self.path("site/data")
    }

    fn copy(&self) -> PathBuf {
        self.path("copy")
    }

    fn write(&self, path: &str, bytes: &[u8]) {
        fs::write(self.path(path), bytes).unwrap();
    }

    fn read(&self, path: &str) -> Vec<u8> {
        fs::read(self.path(path)).unwrap()
    }
}

/// A monitor behind which somebody works: each time the copy asks whether it's interrupted, a step is done. `Err` interrupts.
struct Busy<F>(Mutex<(u64, F)>);

impl<F: FnMut(u64) -> Result<(), ()> + Send> Busy<F> {
    /// `step` gets the number of the question, from 0.
    fn new(step: F) -> Self {
        Busy(Mutex::new((0, step)))
    }
}

impl<F: FnMut(u64) -> Result<(), ()> + Send> Monitor for Busy<F> {
    fn task(&self, _name: &str) {}
    fn progress(&self, _bytes: u64, _records: u64) {}
    fn position(&self, done: u64, total: u64) {
        assert!(done <= total, "{done} of {total}");
    }
    fn warning(&self, text: &str) {
        panic!("{text}");
    }
    fn is_interrupted(&self) -> bool {
        let mut work = self.0.lock().unwrap();
        let number = work.0;
        work.0 += 1;
        (work.1)(number).is_err()
    }
}

fn open_to_write(path: &Path) -> File {
    File::options().write(true).open(path).unwrap()
}

/// The same numbers in every run, as if by chance.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

fn write_at(file: &File, bytes: &[u8], offset: u64) {
    file.write_all_at(bytes, offset).unwrap();
}
