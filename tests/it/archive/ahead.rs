//! A source that works ahead on a thread of its own gives what it gives otherwise.

use ctdl_dump::archive::{Options, Reader, Writer};
use ctdl_dump::codec::Digest;
use ctdl_dump::endpoint::{Class, Failure, Sink, Source};
use ctdl_dump::monitor::Silent;
use ctdl_dump::record::{End, Header, SiteInfo};
use ctdl_dump::transfer::{Ahead, Discard, copy, copy_ahead};
use proptest::prelude::*;

use super::records::{Record, any_records, body, many};
use super::{Kept, Listed, write};

/// A source that fails where it is told to.
struct Failing<'a> {
    source: Listed<'a>,
    /// After so many records and segments.
    left: usize,
}

impl Failing<'_> {
    fn step(&mut self) -> Result<(), Failure> {
        self.left = self.left.checked_sub(1).ok_or_else(|| Failure::new(Class::InUse, "it is enough"))?;
        Ok(())
    }
}

impl Source for Failing<'_> {
    fn site(&self) -> &SiteInfo {
        self.source.site()
    }

    fn next(&mut self) -> Result<Option<Header>, Failure> {
        self.step()?;
        self.source.next()
    }

    fn segment(&mut self, segment: &mut Vec<u8>) -> Result<bool, Failure> {
        self.step()?;
        self.source.segment(segment)
    }

    fn digest(&self) -> Digest {
        self.source.digest()
    }

    fn finish(&mut self) -> Result<End, Failure> {
        self.step()?;
        self.source.finish()
    }
}

#[test]
fn an_archive_is_the_same_with_the_source_ahead() {
    let records = many();
    let options = Options { level: 1, threads: 1 };
    let (archive, summary) = write(&records, options);
    let mut writer = Writer::new(Vec::new(), options);
    let ahead = copy_ahead(&mut Listed::new(&records), &mut writer, &Silent).unwrap();
    assert!(writer.into_output() == archive);
    assert_eq!((ahead.site_digest, ahead.kinds), (summary.site_digest, summary.kinds));
}

#[test]
fn what_comes_before_a_failure_is_given_and_then_the_failure() {
    let records: Vec<Record> = (1..200).map(|number| Record::message(number, body(150_000, 1))).collect();
    for left in [0, 1, 2, 3, 4, 5, 500, 998, 999] {
        let told = |result: Result<_, Failure>| result.map_err(|failure| (failure.class, failure.to_string()));
        let (mut kept, mut kept_ahead) = (Kept::default(), Kept::default());
        let plain = told(copy(&mut Failing { source: Listed::new(&records), left }, &mut kept, &Silent).map(|_| ()));
        let mut source = Failing { source: Listed::new(&records), left };
        let ahead = told(copy_ahead(&mut source, &mut kept_ahead, &Silent).map(|_| ()));
        assert_eq!(ahead, plain);
        assert!(kept.records == kept_ahead.records);
    }
}

#[test]
fn a_sink_that_fails_ends_the_copy_and_the_thread() {
    struct Full;
    impl Sink for Full {
        fn begin(&mut self, _site: &SiteInfo) -> Result<(), Failure> {
            Ok(())
        }
        fn record(&mut self, header: &Header) -> Result<(), Failure> {
            match header.key.first_number() {
                Some(5_000) => Err(Failure::new(Class::Failed, "full")),
                _ => Ok(()),
            }
        }
        fn segment(&mut self, _segment: &[u8]) -> Result<(), Failure> {
            Ok(())
        }
        fn end_record(&mut self, _digest: &Digest) -> Result<(), Failure> {
            Ok(())
        }
        fn finish(&mut self, _end: &End) -> Result<(), Failure> {
            unreachable!()
        }
    }
    let records = many();
    assert_eq!(copy_ahead(&mut Listed::new(&records), &mut Full, &Silent).unwrap_err().to_string(), "full");
}

#[test]
fn damage_is_found_ahead_as_well() {
    let (mut archive, _) = write(&many(), Options { level: 1, threads: 1 });
    let middle = archive.len() / 2;
    archive[middle] ^= 1;
    let mut ahead = Ahead::start(Reader::new(std::io::Cursor::new(archive), 1).unwrap()).unwrap();
    assert_eq!(copy(&mut ahead, &mut Discard, &Silent).unwrap_err().class, Class::Damaged);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_records_come_through(records in any_records(40, 140_000)) {
        let (mut kept, mut kept_ahead) = (Kept::default(), Kept::default());
        copy(&mut Listed::new(&records), &mut kept, &Silent).unwrap();
        copy_ahead(&mut Listed::new(&records), &mut kept_ahead, &Silent).unwrap();
        prop_assert!(kept.records == kept_ahead.records);
        prop_assert_eq!(kept.end, kept_ahead.end);
    }
}
