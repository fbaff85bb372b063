//! The numbered list of kinds (`format-spec/record.md`, section 2).

use std::fmt;
use std::str::FromStr;

/// What a record is about. The order of the variants is the canonical order of kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// A setting of the server (table 0d, or `citadel.config` of old releases).
    Config = 1,
    /// A C struct that old releases keep as a file: its file, and the numbers of `citadel.control`.
    Control = 2,
    /// A waiting change of a reference count (`refcount_adjustments.dat`).
    Refcount = 3,
    /// A floor, Citadel's group of rooms (table 03).
    Floor = 4,
    /// A user (table 01).
    User = 5,
    /// A room with its message list (tables 02 and 04).
    Room = 6,
    /// A message list without exactly one room (table 04).
    List = 7,
    /// What one user has seen of one room (table 05).
    Visit = 8,
    /// What was fetched or seen before (table 07).
    Use = 9,
    /// The same in releases before 975, which kept the id itself.
    Useid = 10,
    /// An Internet address of a user (table 06).
    Directory = 11,
    /// An OpenID or other external identity (table 0c).
    Openid = 12,
    /// A message's exclusive id (table 0a).
    Euid = 13,
    /// A user's name by number (table 0b).
    Usernumber = 14,
    /// One bucket of the full text index (table 09).
    Fulltext = 15,
    /// A pair of a table that none of the other kinds can express.
    Table = 16,
    /// A message with its metadata (tables 00 and 08).
    Message = 17,
    /// A file, directory or link outside the tables.
    File = 18,
    /// A log file.
    Log = 19,
    /// What salvage could not get.
    Loss = 20,
    /// What was left out of the archive, and why.
    Omitted = 21,
}

/// A kind's name that format version 1 doesn't have.
#[derive(Debug, thiserror::Error)]
#[error("there is no kind \"{name}\"; the kinds are {}", Kind::names())]
pub struct UnknownKind {
    /// The name as it was given.
    pub name: String,
}

impl Kind {
    /// Every kind, in canonical order.
    pub const ALL: [Kind; 21] = [
        Kind::Config,
        Kind::Control,
        Kind::Refcount,
        Kind::Floor,
        Kind::User,
        Kind::Room,
        Kind::List,
        Kind::Visit,
        Kind::Use,
        Kind::Useid,
        Kind::Directory,
        Kind::Openid,
        Kind::Euid,
        Kind::Usernumber,
        Kind::Fulltext,
        Kind::Table,
        Kind::Message,
        Kind::File,
        Kind::Log,
        Kind::Loss,
        Kind::Omitted,
    ];

    /// The kind's name, as it stands in headers and in the names of members.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Config => "config",
            Kind::Control => "control",
            Kind::Refcount => "refcount",
            Kind::Floor => "floor",
            Kind::User => "user",
            Kind::Room => "room",
            Kind::List => "list",
            Kind::Visit => "visit",
            Kind::Use => "use",
            Kind::Useid => "useid",
            Kind::Directory => "directory",
            Kind::Openid => "openid",
            Kind::Euid => "euid",
            Kind::Usernumber => "usernumber",
            Kind::Fulltext => "fulltext",
            Kind::Table => "table",
            Kind::Message => "message",
            Kind::File => "file",
            Kind::Log => "log",
            Kind::Loss => "loss",
            Kind::Omitted => "omitted",
        }
    }

    /// Whether records of this kind are part of the site, and so of the site digest; `loss` and `omitted` are about the copy.
    pub const fn is_of_the_site(self) -> bool {
        !matches!(self, Kind::Loss | Kind::Omitted)
    }

    /// Whether bodies of this kind are message numbers (`format-spec/record.md`, section 4.2).
    pub const fn has_numbers(self) -> bool {
        matches!(self, Kind::Room | Kind::List | Kind::Fulltext)
    }

    /// A body of at most so many bytes stands inside its header, a longer one never does.
    pub const fn inline_body_bytes(self) -> usize {
        if self.has_numbers() { super::INLINE_NUMBERS_BYTES } else { super::INLINE_BODY_BYTES }
    }

    /// All names.
    pub fn names() -> String {
        let names: Vec<&str> = Self::ALL.iter().map(|kind| kind.name()).collect();
        names.join(", ")
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, UnknownKind> {
        Self::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| UnknownKind { name: name.to_owned() })
    }
}
