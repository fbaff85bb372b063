//! Tests of the answer as a whole, and the small sites that all tests of this module use.

use std::path::{Path, PathBuf};

use super::byte_order::ByteOrder;
use super::log::checksum;
use super::*;

mod fingerprint;
mod log_end;
mod log_history;
mod server;
mod verdict;

/// A site directory made for a test.
struct Site {
    root: tempfile::TempDir,
}

impl Site {
    fn new() -> Site {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("data")).unwrap();
        Site { root }
    }

    /// A site with two tables, changed and closed in the log that it has.
    fn stopped() -> Site {
        let site = Site::new();
        site.table("cdb.00", &[lsn(1, 28)]);
        site.table("cdb.01", &[lsn(1, 28), Lsn::NOT_LOGGED]);
        site.log(1, &LogBuilder::new().change().checkpoint().close("cdb.00").close("cdb.01").build());
        site
    }

    fn root(&self) -> &Path {
        self.root.path()
    }

    fn data(&self) -> PathBuf {
        self.root().join("data")
    }

    fn write(&self, path: &str, bytes: &[u8]) {
        std::fs::write(self.root().join(path), bytes).unwrap();
    }

    fn log(&self, number: u32, bytes: &[u8]) {
        self.write(&format!("data/log.{number:010}"), bytes);
    }

    /// A table of 512-byte pages with nothing in it but the numbers that this module looks at.
    fn table(&self, name: &str, pages: &[Lsn]) {
        let mut bytes = vec![0_u8; 512 * pages.len()];
        for (page, lsn) in bytes.chunks_mut(512).zip(pages) {
            page[0..4].copy_from_slice(&lsn.file.to_le_bytes());
            page[4..8].copy_from_slice(&lsn.offset.to_le_bytes());
        }
        bytes[12..16].copy_from_slice(&0x0005_3162_u32.to_le_bytes());
        bytes[20..24].copy_from_slice(&512_u32.to_le_bytes());
        self.write(&format!("data/{name}"), &bytes);
    }

    /// The state of a site on which no server runs. A process that another test starts holds copies of all that this one has open, until
    /// its program runs; so a sign of a server is only believed if it stays.
    fn examine(&self) -> State {
        for _ in 0..500 {
            let state = self.examine_once();
            if !matches!(state.server, ServerState::Running { .. }) {
                return state;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        self.examine_once()
    }

    fn examine_once(&self) -> State {
        examine(&self.data(), self.root()).unwrap()
    }
}

fn lsn(file: u32, offset: u32) -> Lsn {
    Lsn { file, offset }
}

/// Builds a log file as libdb would.
struct LogBuilder {
    bytes: Vec<u8>,
    order: ByteOrder,
    last: u32,
}

impl LogBuilder {
    fn new() -> LogBuilder {
        LogBuilder::with(ByteOrder::Little, 19, 0)
    }

    fn with(order: ByteOrder, version: u32, prev_file_last: u32) -> LogBuilder {
        let mut builder = LogBuilder { bytes: Vec::new(), order, last: prev_file_last };
        let header = [0x0004_0988, version, 10 << 20, 0].map(|n| builder.number(n)).concat();
        builder.push(&header);
        builder
    }

    fn number(&self, number: u32) -> [u8; 4] {
        match self.order {
            ByteOrder::Little => number.to_le_bytes(),
            ByteOrder::Big => number.to_be_bytes(),
        }
    }

    fn push(&mut self, rest: &[u8]) {
        let at = u32::try_from(self.bytes.len()).unwrap();
        let len = u32::try_from(rest.len() + 12).unwrap();
        for number in [self.last, len, checksum(rest, self.last, len)] {
            self.bytes.extend(self.number(number));
        }
        self.bytes.extend(rest);
        self.last = at;
    }

    fn record(mut self, kind: u32, body: &[u8]) -> Self {
        let mut rest = [kind, 0, 0, 0].map(|n| self.number(n)).concat();
        rest.extend(body);
        self.push(&rest);
        self
    }

    fn change(self) -> Self {
        self.record(58, b"a change to a page").commit()
    }

    /// A running server's checkpoint: the tables it has open, and the position that is covered.
    fn checkpoint(self) -> Self {
        let covered = self.last;
        self.register(1, "cdb.00").register(1, "cdb.01").covering(1, covered)
    }

    /// What recovery writes at its end.
    fn recovery(self) -> Self {
        let covered = self.last;
        self.register(5, "cdb.00").covering(1, covered).recycle()
    }

    fn covering(self, file: u32, offset: u32) -> Self {
        let body = [file, offset, 0, 0, 1_000_000_000, 0, 0].map(|n| self.number(n)).concat();
        self.record(11, &body)
    }

    /// What a server writes that starts on tables that are there.
    fn start(self) -> Self {
        let log = self.recycle().register(3, "cdb.00").commit();
        log.register(3, "cdb.01").commit()
    }

    fn commit(self) -> Self {
        self.record(10, b"a commit, 20 bytes..")
    }

    /// Where the last checkpoint begins, in file 1.
    fn checkpoint_at(&self) -> Lsn {
        let mut at = (0, 0);
        while let Some(len) = self.order.u32_at(&self.bytes, at.0 + 4) {
            if self.order.u32_at(&self.bytes, at.0 + 12) == Some(11) {
                at.1 = at.0;
            }
            at.0 += len as usize;
        }
        lsn(1, u32::try_from(at.1).unwrap())
    }

    /// Behind the last record, in file 1.
    fn end(&self) -> Lsn {
        lsn(1, u32::try_from(self.bytes.len()).unwrap())
    }

    fn recycle(self) -> Self {
        self.record(14, &[0, 0, 0, 0x80, 0xff, 0xff, 0xff, 0xff])
    }

    fn close(self, table: &str) -> Self {
        self.register(2, table)
    }

    fn register(self, opcode: u32, table: &str) -> Self {
        let mut body = self.number(opcode).to_vec();
        body.extend(self.number(table.len() as u32 + 1));
        body.extend(table.as_bytes());
        body.push(0);
        body.extend([0; 40]);
        self.record(2, &body)
    }

    /// The file, with zeros behind the last record.
    fn build(mut self) -> Vec<u8> {
        self.bytes.resize(self.bytes.len() + 1000, 0);
        self.bytes
    }
}

/// The log of a 980 server that was started on an empty directory and stopped: 438 records with the file's header, 14 tables.
fn real_log() -> Vec<u8> {
    recorded("clean-stop.log")
}

/// A log recorded from a real server (`fixtures/log/README.md`).
fn recorded(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/log").join(format!("{name}.zst"));
    zstd::decode_all(std::fs::File::open(path).unwrap()).unwrap()
}
