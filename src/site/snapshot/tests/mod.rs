//! Small sites that are copied, and a server that goes on working on them.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::*;
use crate::monitor::Monitor;
use crate::site::settled::Lsn;

mod files;
mod hot;
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

    fn log(&self, number: u32, bytes: &[u8]) {
        self.write(&format!("site/data/{}", log(number)), bytes);
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

/// Builds the log files of one log, in which each file knows the last record of the one before.
struct Log {
    bytes: Vec<u8>,
    last: usize,
}

impl Log {
    fn new(last_of_file_before: usize) -> Log {
        let mut log = Log { bytes: Vec::new(), last: last_of_file_before };
        log.push(&[0x0004_0988_u32, 19, 10 << 20, 0].map(u32::to_le_bytes).concat());
        log
    }

    /// A record's 12 bytes are where the one before begins, its length, and its check sum.
    fn push(&mut self, rest: &[u8]) {
        let (prev, len, at) = (self.last as u32, rest.len() as u32 + 12, self.bytes.len());
        let sum = rest.iter().fold(0_u32, |sum, &byte| sum.wrapping_mul(33).wrapping_add(u32::from(byte)));
        self.bytes.extend([prev, len, sum ^ prev ^ len].map(u32::to_le_bytes).concat());
        self.bytes.extend(rest);
        self.last = at;
    }

    /// A change of so many bytes.
    fn change(mut self, bytes: usize) -> Self {
        self.push(&[&58_u32.to_le_bytes()[..], &[0; 12], &vec![0xab; bytes]].concat());
        self
    }

    /// A checkpoint that covers what stands before `covers`.
    fn checkpoint(mut self, covers: Lsn) -> Self {
        let body = [covers.file, covers.offset, 0, 0, 1_700_000_000, 0, 0].map(u32::to_le_bytes).concat();
        self.push(&[&11_u32.to_le_bytes()[..], &[0; 12], &body].concat());
        self
    }

    /// With the zeros that a log file has from birth.
    fn build(&self, size: usize) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        bytes.resize(size, 0);
        bytes
    }
}

fn log(number: u32) -> String {
    format!("log.{number:010}")
}

const FULL: usize = (3 << 20) - 1;
