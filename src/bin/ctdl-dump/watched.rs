//! A source that reports how far it is, for commands that are no copy; a copy reports by itself.

use ctdl_dump::codec::Digest;
use ctdl_dump::endpoint::{Failure, Source};
use ctdl_dump::monitor::Monitor;
use ctdl_dump::record::{End, Header, SiteInfo};

/// Another source, watched.
pub struct Watched<'a> {
    source: Box<dyn Source + 'a>,
    monitor: &'a dyn Monitor,
}

impl<'a> Watched<'a> {
    /// Watches a source.
    pub fn new(source: Box<dyn Source + 'a>, monitor: &'a dyn Monitor) -> Self {
        Watched { source, monitor }
    }

    fn report(&self, bytes: usize, records: u64) -> Result<(), Failure> {
        if self.monitor.is_interrupted() {
            return Err(Failure::interrupted());
        }
        if let Some((done, total)) = self.source.position() {
            self.monitor.position(done, total);
        }
        self.monitor.progress(bytes as u64, records);
        Ok(())
    }
}

impl Source for Watched<'_> {
    fn site(&self) -> &SiteInfo {
        self.source.site()
    }

    fn position(&self) -> Option<(u64, u64)> {
        self.source.position()
    }

    fn next(&mut self) -> Result<Option<Header>, Failure> {
        let header = self.source.next()?;
        self.report(0, u64::from(header.is_some()))?;
        Ok(header)
    }

    fn segment(&mut self, segment: &mut Vec<u8>) -> Result<bool, Failure> {
        let is_there = self.source.segment(segment)?;
        self.report(if is_there { segment.len() } else { 0 }, 0)?;
        Ok(is_there)
    }

    fn digest(&self) -> Digest {
        self.source.digest()
    }

    fn finish(&mut self) -> Result<End, Failure> {
        self.source.finish()
    }
}
