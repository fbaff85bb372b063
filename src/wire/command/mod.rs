//! Commands: four letters, a blank, arguments separated by bars (`format-spec/wire.md`, section 3).

mod parse;

use std::fmt;

pub use parse::{Follows, Misuse};

use super::served::SnapshotId;
use super::words::{Abilities, hex};
use crate::codec::Digest;
use crate::record::Kind;

/// A command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// `PASS`: the token of a login.
    Pass(String),
    /// `IDEN`: the version and abilities that the client chooses, and what program it is.
    Identify {
        /// Version of the protocol.
        version: u64,
        /// Its abilities.
        abilities: Abilities,
        /// Name and version of the client.
        program: String,
    },
    /// `SNAP`: a snapshot, this one if it is still there.
    Snapshot(Option<SnapshotId>),
    /// `SNGL`: the server goes single-user, and a snapshot is taken.
    Single {
        /// Seconds to wait for its users.
        wait: u32,
        /// Seconds without a sign of the client after which it ends by itself.
        expire: u32,
    },
    /// `ESNG`: the end of it.
    EndSingle(EndOfLease),
    /// `SYNC`: something about the records of a kind, or of all.
    Sync(Scope, Action),
    /// `NOOP`: nothing.
    Noop,
    /// `QUIT`: the end.
    Quit,
}

/// How a lease ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndOfLease {
    /// The server takes logins again.
    Back,
    /// It goes on refusing them.
    Refuse,
    /// It is stopped.
    Stop,
}

/// Which records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All.
    All,
    /// Those of a kind.
    Kind(Kind),
}

impl Scope {
    /// Whether records of this kind belong to it.
    pub fn holds(self, kind: Kind) -> bool {
        self == Scope::All || self == Scope::Kind(kind)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scope::All => f.write_str("all"),
            Scope::Kind(kind) => kind.fmt(f),
        }
    }
}

/// Nodes of which level of the tree over the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Manifest segments.
    Segments,
    /// Groups of them.
    Groups,
}

/// Where an interrupted `getall` goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resume {
    /// How many bytes of the last record's body are there already.
    pub offset: u64,
    /// How many bytes say which record that is.
    pub bytes: usize,
}

/// What is to be done with the records. Counts are of the bytes that follow the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// How many there are, and their digest.
    Info,
    /// Manifest segments: all, or those whose digests follow.
    List(Option<usize>),
    /// The nodes whose digests are not among those that follow.
    Since(Level, usize),
    /// The records, all of them or from one on.
    GetAll(Option<Resume>),
    /// The records whose keys follow.
    Get {
        /// Where in the body of the first to begin.
        offset: u64,
        /// How many bytes of keys follow.
        bytes: usize,
    },
    /// Takes records instead of giving them; what `site.cbor` says follows.
    Put {
        /// The snapshot they are of.
        id: SnapshotId,
        /// The digest of its `site.cbor`, if the client gives it.
        digest: Option<Digest>,
        /// How many bytes of `site.cbor` follow.
        bytes: usize,
    },
}

impl Command {
    /// The line.
    pub fn encode(&self) -> String {
        match self {
            Command::Pass(token) => format!("PASS {token}"),
            Command::Identify { version, abilities, program } => {
                format!("IDEN {version}|{}|{program}", abilities.encode())
            }
            Command::Snapshot(None) => "SNAP".to_owned(),
            Command::Snapshot(Some(id)) => format!("SNAP {id}"),
            Command::Single { wait, expire } => format!("SNGL {wait}|{expire}"),
            Command::EndSingle(EndOfLease::Back) => "ESNG".to_owned(),
            Command::EndSingle(EndOfLease::Refuse) => "ESNG refuse".to_owned(),
            Command::EndSingle(EndOfLease::Stop) => "ESNG stop".to_owned(),
            Command::Sync(scope, action) => format!("SYNC {scope}|{}", action.encode()),
            Command::Noop => "NOOP".to_owned(),
            Command::Quit => "QUIT".to_owned(),
        }
    }

    /// How many bytes follow the line.
    pub fn counted_bytes(&self) -> usize {
        match self {
            Command::Sync(_, action) => action.counted_bytes(),
            _ => 0,
        }
    }
}

impl Action {
    fn encode(&self) -> String {
        match self {
            Action::Info => "info".to_owned(),
            Action::List(None) => "list".to_owned(),
            Action::List(Some(bytes)) => format!("list|{bytes}"),
            Action::Since(Level::Segments, bytes) => format!("since|segments|{bytes}"),
            Action::Since(Level::Groups, bytes) => format!("since|groups|{bytes}"),
            Action::GetAll(None) => "getall".to_owned(),
            Action::GetAll(Some(Resume { offset, bytes })) => format!("getall|{offset}|{bytes}"),
            Action::Get { offset, bytes } => format!("get|{offset}|{bytes}"),
            Action::Put { id, digest: None, bytes } => format!("put|{id}|{bytes}"),
            Action::Put { id, digest: Some(digest), bytes } => format!("put|{id}|{}|{bytes}", hex(digest)),
        }
    }

    fn counted_bytes(&self) -> usize {
        match self {
            Action::Info | Action::List(None) | Action::GetAll(None) => 0,
            Action::List(Some(bytes)) | Action::Since(_, bytes) => *bytes,
            Action::GetAll(Some(Resume { bytes, .. })) | Action::Get { bytes, .. } | Action::Put { bytes, .. } => {
                *bytes
            }
        }
    }
}
