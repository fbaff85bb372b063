//! Mount points, which no rename can move or cross.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// The mount points of this process. Without `/proc` the list is empty, and only differing device numbers show a mount.
pub(super) fn mount_points() -> Vec<PathBuf> {
    fs::read("/proc/self/mountinfo").map(|text| parse(&text)).unwrap_or_default()
}

/// The fifth field of each line of a `mountinfo`, its octal escapes undone (proc(5)).
fn parse(text: &[u8]) -> Vec<PathBuf> {
    text.split(|&byte| byte == b'\n')
        .filter_map(|line| line.split(|&byte| byte == b' ').nth(4))
        .map(|field| PathBuf::from(OsString::from_vec(plain(field))))
        .collect()
}

fn plain(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, after)) = rest.split_first() {
        let octal = after.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(escaped) if byte == b'\\' => {
                bytes.push(escaped);
                rest = after.get(3..).unwrap_or_default();
            }
            _ => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    bytes
}

/// The mount points strictly inside a directory (a real path).
pub(super) fn inside<'a>(mounts: &'a [PathBuf], dir: &Path) -> impl Iterator<Item = &'a PathBuf> {
    mounts.iter().filter(move |mount| mount.starts_with(dir) && mount.as_path() != dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_with_blanks_are_read() {
        let text = b"22 1 254:0 / / rw - ext4 /dev/root rw\n30 22 0:5 /x /mnt/a\\040b\\134c rw - tmpfs t rw\nshort\n";
        let mounts = parse(text);
        assert_eq!(mounts, [PathBuf::from("/"), PathBuf::from("/mnt/a b\\c")]);
        assert_eq!(inside(&mounts, Path::new("/mnt")).count(), 1);
        assert_eq!(inside(&mounts, Path::new("/mnt/a b\\c")).count(), 0);
        assert_eq!(inside(&mounts, Path::new("/mn")).count(), 0);
    }

    #[test]
    fn the_root_of_this_machine_is_a_mount_point() {
        assert!(mount_points().contains(&PathBuf::from("/")));
    }
}
