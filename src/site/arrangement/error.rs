//! Arrangements that can't be.

use std::path::PathBuf;

/// Why a site can't be arranged so.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArrangementError {
    /// A directory lies inside of something that is exchanged as one.
    #[error(
        "--{option} {} lies inside of {}, which is a part of the site itself; name the directory that the server was built with",
        directory.display(), part.display()
    )]
    InAPart {
        /// The option that named it.
        option: &'static str,
        /// The directory.
        directory: PathBuf,
        /// What it lies in.
        part: PathBuf,
    },
    /// Keys can't lie in the root.
    #[error("--ssldir can't be the directory of the site itself ({}); leave it out where the keys are in keys/", root.display())]
    KeysInRoot {
        /// The root.
        root: PathBuf,
    },
    /// A site can't be written so.
    #[error(
        "--ssldir and --{option} are both {}, and the keys have to have a directory of their own, whose mode and owner are theirs; say --ssldir {}, and move the keys from there when the site is in place",
        directory.display(), root.join("keys").display()
    )]
    KeysShared {
        /// The option that named it too.
        option: &'static str,
        /// The directory.
        directory: PathBuf,
        /// The root.
        root: PathBuf,
    },
}
