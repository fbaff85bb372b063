//! What several tests need: the real sites of `fixtures/site/`, unpacked.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// The program under test, for scripts that start it; what starts them sets what [`program`] does.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_ctdl-dump");

/// The program under test. Its state directory is not the user's: what a real one remembers, such as a server that was left closed, is told by every command.
pub fn program() -> Command {
    isolated(Command::new(PROGRAM))
}

/// A command that starts the program under test, which inherits the state directory.
pub fn isolated(mut command: Command) -> Command {
    command.env("CTDL_DUMP_STATE", concat!(env!("CARGO_TARGET_TMPDIR"), "/state"));
    command
}

/// A path inside the project.
pub fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A copy of the site `fixtures/site/NAME.tar.zst` that is the test's own, with its modes and times.
pub fn unpack_site(name: &str) -> TempDir {
    let site = TempDir::with_prefix("ctdl-dump-site-").unwrap();
    let packed = project("fixtures/site").join(format!("{name}.tar.zst"));
    let status = Command::new("tar").arg("--zstd").arg("-xpf").arg(packed).arg("-C").arg(site.path()).status();
    assert!(
        status.expect("tar is installed").success(),
        "tar can't unpack {name}: is zstd installed? `make setup` does it"
    );
    site
}

/// The pairs of a table as libdb's own tool shows them, which opens tables of both byte orders.
pub fn pairs(site: &Path, number: u8) -> Vec<(Vec<u8>, Vec<u8>)> {
    let table = site.join(format!("data/cdb.{number:02x}"));
    let output = Command::new("db5.3_dump").arg(table).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Vec<u8>> = text.lines().filter_map(|line| line.strip_prefix(' ')).map(bytes).collect();
    lines.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect()
}

/// Bytes in hexadecimal digits.
pub fn bytes(hexadecimal: &str) -> Vec<u8> {
    let digits = hexadecimal.as_bytes().chunks_exact(2);
    digits.map(|byte| u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 16).unwrap()).collect()
}

/// The Python that `make setup` makes under `target/`, with `blake3`, `cbor2` and `zstandard`; `CTZ_PYTHON` names another.
pub fn python() -> Command {
    let python = std::env::var_os("CTZ_PYTHON").map(PathBuf::from);
    let python = python.unwrap_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("ctz-venv/bin/python"));
    assert!(python.exists(), "{} is not there: `make setup` makes it", python.display());
    Command::new(python)
}

/// Path, inode, size, mode, times and contents of everything below.
pub fn listing(root: &Path) -> Vec<String> {
    use std::os::unix::fs::MetadataExt;
    let mut lines: Vec<String> = walkdir::WalkDir::new(root)
        .into_iter()
        .map(|entry| {
            let entry = entry.unwrap();
            let found = entry.path().symlink_metadata().unwrap();
            let digest = found.is_file().then(|| blake3::hash(&std::fs::read(entry.path()).unwrap()));
            format!(
                "{:?} {} {} {:o} {}.{} {}.{} {digest:?}",
                entry.path(),
                found.ino(),
                found.len(),
                found.mode(),
                found.mtime(),
                found.mtime_nsec(),
                found.ctime(),
                found.ctime_nsec()
            )
        })
        .collect();
    lines.sort();
    lines
}
