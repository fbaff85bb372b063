//! The two ends of every copy: a `Source` gives records in canonical order, a `Sink` takes them.
//!
//! Both pass headers and *stored* segments: where the header calls the body folded, those of its folded form. `Folding` folds what another
//! source gives; an archive's reader unfolds what it gives.
//!
//! A source computes the identity digest of what it gives (with `codec::RecordHasher`) and hands
//! on nothing that it could not check, but what only the end of the copy can show: a sink keeps all it got to itself until `finish`.

mod folding;

use std::error::Error;
use std::fmt;
use std::io;

use crate::codec::Digest;
use crate::record::{End, Header, SiteInfo};

pub use folding::Folding;

/// A place that records come from.
pub trait Source {
    /// What is known of the site from the beginning.
    fn site(&self) -> &SiteInfo;

    /// How far the copy is: so much of so much, in a unit of the source's own; `None` while it can't tell. For progress only.
    fn position(&self) -> Option<(u64, u64)> {
        None
    }

    /// The next header, after whatever is left of the body before it; `None` after the last record, as often as it is asked.
    fn next(&mut self) -> Result<Option<Header>, Failure>;

    /// Puts the next segment of the present record's body into `segment`; `false` when there is none left (or the body stands in the header).
    fn segment(&mut self, segment: &mut Vec<u8>) -> Result<bool, Failure>;

    /// The identity digest of the present record, whose body has been read to its end.
    fn digest(&self) -> Digest;

    /// Takes back a header that `next` gave and nobody needs any more. A source that made it on another thread has its memory freed there: where two
    /// threads allocate and free for each other, they wait for each other.
    fn take_back(&mut self, header: Header) {
        drop(header);
    }

    /// Ends the copy, after `next` gave `None`: looks at the source once more and says how it was found. An error means that what was given can't be trusted.
    fn finish(&mut self) -> Result<End, Failure>;
}

/// A place that records go to. What it got is worth nothing before `finish` has succeeded.
pub trait Sink {
    /// What is known of the site; comes first.
    fn begin(&mut self, site: &SiteInfo) -> Result<(), Failure>;

    /// The next record. A body inside the header comes with it.
    fn record(&mut self, header: &Header) -> Result<(), Failure>;

    /// The next segment of the record's body.
    fn segment(&mut self, segment: &[u8]) -> Result<(), Failure>;

    /// The record is complete.
    fn end_record(&mut self, digest: &Digest) -> Result<(), Failure>;

    /// All records were given.
    fn finish(&mut self, end: &End) -> Result<(), Failure>;
}

/// What kind of failure it is, for those who must decide what to do; the binary makes its exit code of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// It could not be done, and nothing was changed.
    Failed,
    /// The archive or site is damaged, cut short, or not ours.
    Damaged,
    /// The site is in use, or could not be settled.
    InUse,
    /// The other end of a connection failed or refused.
    Peer,
    /// The user interrupted it.
    Interrupted,
}

/// Why a copy ended early.
#[derive(Debug)]
pub struct Failure {
    /// What kind of failure it is.
    pub class: Class,
    place: Option<String>,
    error: Box<dyn Error + Send + Sync>,
}

impl Failure {
    /// A failure of a place, with the place's own error.
    pub fn new(class: Class, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Failure { class, place: None, error: error.into() }
    }

    /// The same failure, told with the name of the place that it is of, for whoever uses two.
    pub fn of(self, place: impl Into<String>) -> Self {
        Failure { place: Some(place.into()), ..self }
    }

    /// The place's own error, if it is of this type.
    pub fn cause<E: Error + 'static>(&self) -> Option<&E> {
        self.error.downcast_ref()
    }

    /// The user interrupted the work.
    pub fn interrupted() -> Self {
        Failure::new(Class::Interrupted, "interrupted")
    }
}

/// What it means that the system gives no thread, and what to do about it. The work is not tried again, so it is never told as `WouldBlock`.
pub fn no_thread(error: io::Error) -> io::Error {
    io::Error::other(format!(
        "no thread can be started ({error}); raise the limit of processes (ulimit -u, TasksMax= of a systemd unit) or of memory (ulimit -v)"
    ))
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        self.error.fmt(f)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}
