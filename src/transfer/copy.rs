//! The one copy that every command is.

use crate::archive::RandomReader;
use crate::codec::manifest::Count;
use crate::codec::{Digest, SiteHasher};
use crate::endpoint::{Failure, Sink, Source};
use crate::monitor::Monitor;
use crate::record::{Body, End, Header, Kind, printable_text};

/// What was copied.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Records and body bytes of each kind that occurred, in canonical order.
    pub kinds: Vec<(Kind, Count)>,
    /// The site digest.
    pub site_digest: Digest,
    /// What the source said at the end.
    pub end: End,
    /// The `loss` and `omitted` records: their kind, their key and why, as a person reads them.
    pub left_out: Vec<(Kind, String)>,
}

impl Summary {
    /// What a copy of an archive comes to, by what its manifest says; no body is read.
    ///
    /// # Errors
    /// When the archive is damaged where that stands.
    pub fn of_archive(archive: &RandomReader) -> Result<Summary, Failure> {
        let root = archive.root();
        let mut left_out = Vec::new();
        for kind in root.kinds.iter().map(|(kind, _)| *kind).filter(|kind| !kind.is_of_the_site()) {
            for header in archive.headers(Some(kind))? {
                left_out.push(why_left_out(&header?.0));
            }
        }
        let end = End { state_after: root.state_after.clone() };
        Ok(Summary { kinds: root.kinds.clone(), site_digest: root.site_digest, end, left_out })
    }

    /// How many records there were. What an archive says of itself may be more than any number.
    pub fn records(&self) -> u64 {
        self.kinds.iter().fold(0, |sum, (_, count)| sum.saturating_add(count.records))
    }

    /// The sum of their bodies' lengths in bytes.
    pub fn body_bytes(&self) -> u64 {
        self.kinds.iter().fold(0, |sum, (_, count)| sum.saturating_add(count.body_bytes))
    }
}

/// Moves every record of a source to a sink and ends both. When it fails the sink must be thrown away.
pub fn copy(source: &mut dyn Source, sink: &mut dyn Sink, monitor: &dyn Monitor) -> Result<Summary, Failure> {
    let mut kinds: Vec<(Kind, Count)> = Vec::new();
    let mut site_hasher = SiteHasher::default();
    let mut left_out = Vec::new();
    let mut segment = Vec::new();
    sink.begin(source.site())?;
    while let Some(header) = source.next()? {
        if monitor.is_interrupted() {
            return Err(Failure::interrupted());
        }
        sink.record(&header)?;
        let mut passed = 0;
        while source.segment(&mut segment)? {
            if monitor.is_interrupted() {
                return Err(Failure::interrupted());
            }
            sink.segment(&segment)?;
            passed += segment.len() as u64;
            monitor.progress(segment.len() as u64, 0);
            report_position(source, monitor);
        }
        if let Some(Body::Folded(length)) = header.body {
            // What folding has saved is done, too.
            monitor.progress(length.saturating_sub(passed), 0);
        }
        let digest = source.digest();
        sink.end_record(&digest)?;
        site_hasher.record(header.kind, &digest);
        let body_bytes = header.body.as_ref().map_or(0, |body| body.length());
        match kinds.last_mut() {
            Some((kind, count)) if *kind == header.kind => {
                count.records += 1;
                count.body_bytes += body_bytes;
            }
            _ => kinds.push((header.kind, Count { records: 1, body_bytes })),
        }
        if !header.kind.is_of_the_site() {
            left_out.push(why_left_out(&header));
        }
        source.take_back(header);
        monitor.progress(0, 1);
        report_position(source, monitor);
    }
    if monitor.is_interrupted() {
        return Err(Failure::interrupted());
    }
    let end = source.finish()?;
    sink.finish(&end)?;
    Ok(Summary { kinds, site_digest: site_hasher.digest(), end, left_out })
}

/// A `loss` or `omitted` record as a person reads it. What is lost was made readable when it was named; what was left out is a path.
fn why_left_out(header: &Header) -> (Kind, String) {
    let what = match header.key.last_name() {
        Some(name) if header.kind == Kind::Loss => printable_text(name),
        _ => header.key.to_string(),
    };
    let why = printable_text(header.fields.bytes("why").unwrap_or_default());
    (header.kind, format!("{what}: {why}"))
}

fn report_position(source: &dyn Source, monitor: &dyn Monitor) {
    if let Some((done, total)) = source.position() {
        monitor.position(done, total);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Fields, Key, Value};

    #[test]
    fn names_in_losses_are_escaped_once_and_paths_that_were_left_out_too() {
        let header = |kind, name: &str, why: &str| {
            let mut fields = Fields::new();
            fields.set("why", Value::String(why.into()));
            Header { kind, key: Key::name(name.as_bytes()), fields, body: None, residue: None }
        };
        let loss = header(Kind::Loss, "room a\\xff", "behind \\u{1b}, \u{1b}");
        assert_eq!(why_left_out(&loss).1, "room a\\xff: behind \\u{1b}, \\u{1b}");
        let omitted = header(Kind::Omitted, "a\\b", "a socket");
        assert_eq!(why_left_out(&omitted).1, "a\\\\b: a socket");
    }
}
