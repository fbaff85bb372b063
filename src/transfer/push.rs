//! Giving a snapshot to a peer that takes one (`format-spec/wire.md`, section 10), over as many connections as it takes.

use crate::codec::{Digest, site_info};
use crate::endpoint::{Failure, Sink, Source};
use crate::monitor::Monitor;
use crate::record::{Body, End, Header, Key, Kind, SiteInfo, Snapshot};
use crate::transfer::copy;
use crate::wire::{Client, Code, Connector, Offered, Scope, Sender, SnapshotId, Totals, View, WireError};

/// What a push has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// The site digest of what the peer has put in place, which is that of the snapshot.
    pub site_digest: Digest,
    /// Bytes that went over all connections.
    pub wire_bytes: u64,
}

/// Takes what the peer says: what it is doing ([`Code::AT_WORK`]), and what a person must know ([`Code::NOTICE`]).
pub type Told<'a> = &'a mut dyn FnMut(Code, &str);

/// Gives all records of a snapshot to a peer, and waits until they are in place there. A connection that breaks is made again, and goes on behind
/// what has arrived.
///
/// # Errors
/// When the peer refuses or can't be reached often enough, or the snapshot can't be read.
pub fn push<C: Connector>(
    connector: &mut C,
    view: &dyn View,
    monitor: &dyn Monitor,
    told: Told,
) -> Result<Pushed, Failure> {
    let total = view.totals()?.1;
    let mut push = Push { view, id: push_id(view.site(), &total), total, monitor, furthest: None, wire_bytes: 0 };
    loop {
        let furthest_before = push.furthest.clone();
        let failure = match push.attempt(connector, told) {
            Ok(()) => return Ok(Pushed { site_digest: total.digest, wire_bytes: push.wire_bytes }),
            Err(failure) => failure,
        };
        // Where a connection begins says what has arrived over the one before.
        let progressed = push.furthest > furthest_before;
        match failure.cause::<WireError>() {
            Some(error) if error.may_pass() && connector.tries_again(error, progressed) => {}
            _ => return Err(failure),
        }
    }
}

/// Tells what is pushed from all else. The same for any snapshot that has the same records.
fn push_id(site: &SiteInfo, total: &Totals) -> SnapshotId {
    let snapshot = Snapshot { method: String::new(), proof: String::new(), taken: 0 };
    let mut hasher = blake3::Hasher::new_derive_key("ctdl-dump push id v1");
    hasher.update(&total.digest);
    hasher.update(&site_info::encode(&SiteInfo { snapshot, ..site.clone() }));
    let mut id = [0; 16];
    id.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    SnapshotId(id)
}

/// Behind how much of which record a connection begins; `None` at the beginning.
type Place = Option<((Kind, Key), u64)>;

struct Push<'a> {
    view: &'a dyn View,
    id: SnapshotId,
    total: Totals,
    monitor: &'a dyn Monitor,
    /// The furthest place from which a connection has begun: the beginning, or behind that of a record. A peer that falls back again and again gets
    /// nowhere.
    furthest: Option<Place>,
    wire_bytes: u64,
}

impl Push<'_> {
    /// Does all over one connection, from where the peer wants it.
    fn attempt<C: Connector>(&mut self, connector: &mut C, told: Told) -> Result<(), Failure> {
        let mut client = connector.connect()?;
        if !client.greeting().abilities.receive {
            let text = "it gives records and takes none; is it `ctdl-dump serve --receive`?".to_owned();
            return Err(WireError::Refused { code: Code::NOT_HERE, text }.into());
        }
        let result = self.give(&mut client, told);
        self.wire_bytes += client.bytes().1;
        let site_digest = match result {
            Ok(site_digest) => site_digest,
            Err(failure) => {
                // Whoever has said no is left in good order.
                if matches!(failure.cause(), Some(WireError::Refused { .. })) {
                    client.leave();
                }
                return Err(failure);
            }
        };
        if site_digest != self.total.digest {
            // Whatever is said now the peer would take for a sign that all is well, and forget that there was this push.
            let problem = "the site that it has put in place is not the one that was sent";
            return Err(WireError::Disagreement { problem }.into());
        }
        // The peer has to know that it was heard, and does when it answers; how it takes the goodbye otherwise doesn't matter.
        let _ = client.quit();
        Ok(())
    }

    fn give<R: std::io::Read, W: std::io::Write>(
        &mut self,
        client: &mut Client<R, W>,
        told: Told,
    ) -> Result<Digest, Failure> {
        let position = match client.put(self.id, self.view.site(), told)? {
            Offered::Taken(position) => position,
            Offered::InPlace(site_digest) => return Ok(site_digest),
        };
        let after = position.map(|last| ((last.kind, last.key), last.offset));
        self.furthest = self.furthest.take().max(Some(after.clone()));
        let records = self.view.records(Scope::All, after.as_ref().map(|(last, offset)| (last, *offset)));
        let mut records = records.map_err(|refusal| {
            // Of what this very snapshot has given every position is there.
            let found = format!("a position that can't be: {}", refusal.text);
            WireError::Unexpected { found, expected: "the end of what has arrived" }
        })?;
        let done = match &after {
            None => 0,
            Some((last, offset)) => bytes_up_to(self.view, last)? + offset,
        };
        let mut source = Measured { records: &mut *records, done, total: self.total.body_bytes };
        let sender = client.sender(after.is_some().then_some(self.total));
        self.monitor.task("push");
        let sent = copy(&mut source, &mut Going { sender, partly: after }, self.monitor);
        if let Err(failure) = sent {
            let is_cut = failure.cause::<WireError>().is_some_and(WireError::is_of_the_connection);
            // Whoever takes no more has said why.
            return Err(is_cut.then(|| client.last_words(told)).flatten().map_or(failure, Failure::from));
        }
        self.monitor.task("wait for the peer to put it in place");
        Ok(client.end_put(told)?)
    }
}

/// The bytes of the bodies before a record.
fn bytes_up_to(view: &dyn View, last: &(Kind, Key)) -> Result<u64, Failure> {
    let mut bytes = 0;
    for segment in view.segments(Scope::All)? {
        for record in crate::codec::manifest::decode_identities(&view.segment(segment?.number)?).unwrap_or_default() {
            if (record.kind, &record.key) >= (last.0, &last.1) {
                return Ok(bytes);
            }
            bytes += record.length.unwrap_or(0);
        }
    }
    Ok(bytes)
}

/// Records that are sent, from a place in the body of the first of them on.
struct Going<'a, W: std::io::Write> {
    sender: Sender<'a, W>,
    partly: Option<((Kind, Key), u64)>,
}

impl<W: std::io::Write> Sink for Going<'_, W> {
    fn begin(&mut self, site: &SiteInfo) -> Result<(), Failure> {
        Sink::begin(&mut self.sender, site)
    }

    fn record(&mut self, header: &Header) -> Result<(), Failure> {
        let offset = match self.partly.take() {
            Some(((kind, key), offset)) if (kind, &key) == (header.kind, &header.key) => offset,
            _ => 0,
        };
        Ok(self.sender.begin_record(header, offset)?)
    }

    fn segment(&mut self, segment: &[u8]) -> Result<(), Failure> {
        Sink::segment(&mut self.sender, segment)
    }

    fn end_record(&mut self, digest: &Digest) -> Result<(), Failure> {
        self.sender.end_record(digest)
    }

    fn finish(&mut self, end: &End) -> Result<(), Failure> {
        self.sender.finish(end)
    }
}

/// Records of which it is known how many bytes of bodies have gone before, and how many there are.
struct Measured<'a> {
    records: &'a mut dyn Source,
    done: u64,
    total: u64,
}

impl Source for Measured<'_> {
    fn site(&self) -> &SiteInfo {
        self.records.site()
    }

    fn position(&self) -> Option<(u64, u64)> {
        Some((self.done.min(self.total), self.total))
    }

    fn next(&mut self) -> Result<Option<Header>, Failure> {
        let header = self.records.next()?;
        if let Some(Body::Inline(bytes)) = header.as_ref().and_then(|header| header.body.as_ref()) {
            self.done += bytes.len() as u64;
        }
        Ok(header)
    }

    fn segment(&mut self, segment: &mut Vec<u8>) -> Result<bool, Failure> {
        let is_there = self.records.segment(segment)?;
        self.done += if is_there { segment.len() as u64 } else { 0 };
        Ok(is_there)
    }

    fn digest(&self) -> Digest {
        self.records.digest()
    }

    fn take_back(&mut self, header: Header) {
        self.records.take_back(header);
    }

    fn finish(&mut self) -> Result<End, Failure> {
        self.records.finish()
    }
}
