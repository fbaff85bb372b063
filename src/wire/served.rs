//! What a server needs of the place that it serves.

use std::fmt;
use std::sync::Arc;

use super::command::{EndOfLease, Scope};
use super::frame::Receiver;
use super::reply::Code;
use super::totals::Totals;
use super::words::{self, Abilities};
use crate::codec::Digest;
use crate::endpoint::{Class, Failure, Source};
use crate::record::{Key, Kind, SiteInfo};

/// Tells one snapshot from all others. Whoever makes one draws it by lot, or derives it from all that it would give.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SnapshotId(pub [u8; 16]);

impl SnapshotId {
    /// Reads an id: 32 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        words::from_hex(text).map(SnapshotId)
    }
}

impl fmt::Display for SnapshotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&words::hex(&self.0))
    }
}

/// To be called at least every 20 seconds while something takes long: the client is told that it goes on, with a few words on what is
/// being done. An error means that the client has gone.
pub type Pulse<'a> = &'a mut dyn FnMut(&str) -> Result<(), Failure>;

/// Why something is not done: the code and the words of the reply.
#[derive(Debug)]
pub struct Refusal {
    /// Its code, of class 5.
    pub code: Code,
    /// Its words, for a person.
    pub text: String,
}

impl Refusal {
    /// A refusal.
    pub fn new(code: Code, text: impl Into<String>) -> Self {
        Refusal { code, text: text.into() }
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        // The peer may come again: another snapshot is another matter.
        let code = if failure.class == Class::InUse { Code::BUSY } else { Code::FAILED };
        Refusal::new(code, failure.to_string())
    }
}

/// How far records of a peer's snapshot have come.
#[derive(Debug)]
pub enum Reception {
    /// So far; the receiver takes the rest.
    Open(Box<Receiver>),
    /// They are in place, and have this site digest; the peer could not be told any more.
    InPlace(Digest),
}

/// A place whose snapshots are served to one client.
pub trait Served {
    /// What it can do, but for `zstd` and `login`, which are the server's business.
    fn abilities(&self) -> Abilities {
        Abilities::default()
    }

    /// The snapshot with this id, if it is still there; else another, taken now.
    fn snapshot(&mut self, id: Option<&SnapshotId>, pulse: Pulse) -> Result<Arc<dyn View>, Refusal>;

    /// Takes the site single-user and then a snapshot of it. The lease ends by itself when nothing has moved between client and server for `expire`
    /// seconds, when the client has gone, and when this is dropped.
    fn single_user(&mut self, wait: u32, expire: u32, pulse: Pulse) -> Result<Arc<dyn View>, Refusal> {
        let _ = (wait, expire, pulse);
        Err(Refusal::new(Code::NOT_HERE, "there is no running server behind this"))
    }

    /// Ends the lease, and says in words for a person how the server stands then. Fails if there is none, or if it has expired before.
    fn end_single_user(&mut self, how: EndOfLease) -> Result<String, Refusal> {
        let _ = how;
        Err(Refusal::new(Code::NO_LEASE, "the site is not in single-user mode"))
    }

    /// The client lives, and asks for nothing. Fails if it has a lease that has ended by itself.
    fn still_leased(&mut self) -> Result<(), Refusal> {
        Ok(())
    }

    /// Gets ready to take the records of a peer's snapshot. The receiver knows what of them is here already, from an earlier connection.
    fn receive(&mut self, id: SnapshotId, site: &SiteInfo, pulse: Pulse) -> Result<Reception, Refusal> {
        let _ = (id, site, pulse);
        Err(Refusal::new(Code::NOT_HERE, "this server gives records and takes none"))
    }

    /// Takes what is received, checks it and puts it in place.
    fn take(&mut self, source: &mut dyn Source, pulse: Pulse) -> Result<Digest, Refusal> {
        let _ = (source, pulse);
        Err(Refusal::new(Code::NOT_HERE, "this server gives records and takes none"))
    }

    /// What the client must know of what was done since it was asked last, a line each.
    fn notices(&mut self) -> Vec<String> {
        Vec::new()
    }

    /// The client said something, and so has heard all that it was told before.
    fn alive(&mut self) {}
}

/// A manifest segment, as the index of a snapshot has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentAt {
    /// Which one: counts from 0.
    pub number: usize,
    /// Digest of its identity part.
    pub digest: Digest,
}

/// Segments in their order.
pub type Segments<'a> = Box<dyn Iterator<Item = Result<SegmentAt, Failure>> + 'a>;

/// One snapshot: nothing that it says changes.
pub trait View: Send + Sync {
    /// Gets ready to answer, which may take long: whatever else is asked comes after this.
    fn prepare(&self, pulse: Pulse) -> Result<(), Refusal> {
        let _ = pulse;
        Ok(())
    }

    /// Tells it from all others.
    fn id(&self) -> SnapshotId;

    /// What `site.cbor` says.
    fn site(&self) -> &SiteInfo;

    /// What the second look at the source found, once this is prepared.
    fn state_after(&self) -> &str;

    /// What there is of every kind that occurs, in canonical order, and of all.
    fn totals(&self) -> Result<(Vec<(Kind, Totals)>, Totals), Failure>;

    /// The manifest segments in which there is a record of these, and at most one more at either end.
    fn segments(&self, scope: Scope) -> Result<Segments<'_>, Failure>;

    /// The identity part of a segment.
    fn segment(&self, number: usize) -> Result<Vec<u8>, Failure>;

    /// The records, from the beginning or behind `after`: first what is left of the body of that record from an offset on, with its
    /// header once more, then the records behind it. [`Code::NO_RECORD`] if there is no such record.
    fn records(&self, scope: Scope, after: Option<(&(Kind, Key), u64)>) -> Result<Box<dyn Source + '_>, Refusal>;

    /// These records, whose keys rise; the body of the first from an offset on. [`Code::NO_RECORD`] if one of them is not there.
    fn chosen(&self, kind: Kind, keys: Vec<Key>, offset: u64) -> Result<Box<dyn Source + '_>, Refusal>;
}
