//! An archive that was cut short, as one that ends before the cut: so it can be compared with another snapshot.

use std::io::Read;

use super::continued::up_to_the_cut;
use crate::archive::Reader;
use crate::codec::Digest;
use crate::endpoint::{Failure, Sink, Source};
use crate::monitor::Monitor;
use crate::record::{End, Header, SiteInfo};
use crate::transfer::copy;

/// Copies the records of an archive that are complete; `open` opens it, twice. Gives how many there were.
pub fn complete_records<R: Read>(
    open: impl Fn() -> Result<Reader<R>, Failure>,
    sink: &mut dyn Sink,
    monitor: &dyn Monitor,
) -> Result<u64, Failure> {
    let mut whole = 0;
    let mut archive = open()?;
    let mut segment = Vec::new();
    // A body that is cut is seen when its record has been given, so they are counted first.
    'records: while up_to_the_cut(archive.next())?.flatten().is_some() {
        loop {
            if monitor.is_interrupted() {
                return Err(Failure::interrupted());
            }
            match up_to_the_cut(archive.segment(&mut segment))? {
                Some(true) => {}
                Some(false) => break,
                None => break 'records,
            }
        }
        whole += 1;
    }
    copy(&mut Shortened { archive: open()?, left: whole }, sink, monitor)?;
    Ok(whole)
}

struct Shortened<R: Read> {
    archive: Reader<R>,
    left: u64,
}

impl<R: Read> Source for Shortened<R> {
    fn site(&self) -> &SiteInfo {
        self.archive.site()
    }

    fn next(&mut self) -> Result<Option<Header>, Failure> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        self.archive.next()
    }

    fn segment(&mut self, segment: &mut Vec<u8>) -> Result<bool, Failure> {
        self.archive.segment(segment)
    }

    fn digest(&self) -> Digest {
        self.archive.digest()
    }

    fn finish(&mut self) -> Result<End, Failure> {
        Ok(End { state_after: "cut short".to_owned() })
    }
}
