//! The archive, written and read, whole and damaged.

mod ahead;
mod damage;
mod folded;
mod forge;
mod golden;
mod hostile;
mod numbers;
mod random;
pub mod records;
mod round_trip;
mod tools;

use std::io::Read;

use ctdl_dump::archive::{Options, Reader, Writer};
use ctdl_dump::codec::{Digest, RecordHasher, segment};
use ctdl_dump::endpoint::{Failure, Folding, Sink, Source};
use ctdl_dump::monitor::Silent;
use ctdl_dump::record::{Body, End, Header, SiteInfo};
use ctdl_dump::transfer::{Discard, Summary, copy};

use records::{Record, site};

/// A source that is a list.
pub struct Listed<'a> {
    site: SiteInfo,
    records: std::slice::Iter<'a, Record>,
    rest_of_body: &'a [u8],
    hasher: RecordHasher,
}

impl<'a> Listed<'a> {
    pub fn new(records: &'a [Record]) -> Self {
        Self::of(site(), records)
    }

    pub fn of(site: SiteInfo, records: &'a [Record]) -> Self {
        Listed { site, records: records.iter(), rest_of_body: &[], hasher: RecordHasher::default() }
    }
}

impl Source for Listed<'_> {
    fn site(&self) -> &SiteInfo {
        &self.site
    }

    fn next(&mut self) -> Result<Option<Header>, Failure> {
        let Some(record) = self.records.next() else { return Ok(None) };
        self.hasher.begin(&record.header);
        self.rest_of_body = match record.header.body {
            Some(Body::Segments(_)) => &record.body,
            _ => &[],
        };
        Ok(Some(record.header.clone()))
    }

    fn segment(&mut self, segment: &mut Vec<u8>) -> Result<bool, Failure> {
        segment.clear();
        let (now, rest) = self.rest_of_body.split_at(segment::next_bytes(self.rest_of_body.len() as u64, 0));
        segment.extend_from_slice(now);
        self.hasher.body(now);
        self.rest_of_body = rest;
        Ok(!now.is_empty())
    }

    fn digest(&self) -> Digest {
        self.hasher.digest()
    }

    fn finish(&mut self) -> Result<End, Failure> {
        Ok(End { state_after: "unchanged".to_owned() })
    }
}

/// A sink that keeps everything.
#[derive(Default)]
pub struct Kept {
    pub site: Option<SiteInfo>,
    pub records: Vec<(Record, Digest)>,
    pub end: Option<End>,
    open: Option<Record>,
}

impl Sink for Kept {
    fn begin(&mut self, site: &SiteInfo) -> Result<(), Failure> {
        self.site = Some(site.clone());
        Ok(())
    }

    fn record(&mut self, header: &Header) -> Result<(), Failure> {
        let body = match &header.body {
            Some(Body::Inline(bytes)) => bytes.clone(),
            _ => Vec::new(),
        };
        self.open = Some(Record { header: header.clone(), body });
        Ok(())
    }

    fn segment(&mut self, segment: &[u8]) -> Result<(), Failure> {
        self.open.as_mut().unwrap().body.extend_from_slice(segment);
        Ok(())
    }

    fn end_record(&mut self, digest: &Digest) -> Result<(), Failure> {
        self.records.push((self.open.take().unwrap(), *digest));
        Ok(())
    }

    fn finish(&mut self, end: &End) -> Result<(), Failure> {
        self.end = Some(end.clone());
        Ok(())
    }
}

pub fn write(records: &[Record], options: Options) -> (Vec<u8>, Summary) {
    let mut writer = Writer::new(Vec::new(), options);
    let summary = copy(&mut Listed::new(records), &mut writer, &Silent).unwrap();
    (writer.into_output(), summary)
}

/// The same with folded bodies, as an export has them.
pub fn write_folded(records: &[Record], options: Options) -> (Vec<u8>, Summary) {
    let mut writer = Writer::new(Vec::new(), options);
    let summary = copy(&mut Folding::new(&mut Listed::new(records)), &mut writer, &Silent).unwrap();
    (writer.into_output(), summary)
}

pub fn verify(archive: impl Read, threads: usize) -> Result<Summary, Failure> {
    let mut reader = Reader::new(archive, threads)?;
    copy(&mut reader, &mut Discard, &Silent)
}

pub fn read(archive: impl Read, threads: usize) -> Result<Kept, Failure> {
    let mut kept = Kept::default();
    copy(&mut Reader::new(archive, threads)?, &mut kept, &Silent)?;
    Ok(kept)
}
