//! Sites that are written for a server of another word size or byte order.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use ctdl_dump::codec::Digest;
use ctdl_dump::endpoint::{Failure, Source};
use ctdl_dump::monitor::Silent;
use ctdl_dump::record::{Body, End, Header, Kind, Layout, SiteInfo};
use ctdl_dump::site::{ReadOptions, Site, SiteOwner, SiteSink, WriteSiteError, layout, layout_at};
use ctdl_dump::transfer::{Comparison, Discard, Summary, copy};
use tempfile::TempDir;

use crate::support::{pairs, unpack_site};

fn options() -> ReadOptions {
    ReadOptions { scratch: std::env::temp_dir(), logs: Vec::new(), without_fulltext: false, salvages: false }
}

/// A new site of all records of one, for a server of that layout; read back.
fn written(site: &Site, target: Layout) -> (TempDir, Summary, Vec<String>) {
    let new = tempfile::tempdir().unwrap();
    let owner = SiteOwner::of_process();
    let mut sink = SiteSink::create(new.path(), std::env::temp_dir(), owner, target).unwrap();
    let summary = copy(&mut site.source(options(), &Silent), &mut sink, &Silent).unwrap();
    let (expected, notices) = sink.into_expected();
    let again = Site::open(new.path()).unwrap();
    assert_eq!(again.info().layout, target);
    assert_eq!(layout_at(new.path()).unwrap(), Some(target));
    expected.read_back(new.path(), &Silent).unwrap();
    let read = copy(&mut again.source(options(), &Silent), &mut Discard, &Silent).unwrap();
    assert_eq!(read.site_digest, summary.site_digest);
    (new, summary, notices)
}

/// The records of one site that have residue, by kind.
fn residues(site: &Site) -> BTreeMap<Kind, usize> {
    let mut found = BTreeMap::new();
    let mut source = site.source(options(), &Silent);
    while let Some(header) = source.next().unwrap() {
        if header.residue.is_some() {
            *found.entry(header.kind).or_default() += 1;
        }
    }
    found
}

fn is_whole(site: &Path, number: u8) -> bool {
    let table = site.join(format!("data/cdb.{number:02x}"));
    Command::new("db5.3_verify").args(["-o", "-q"]).arg(table).output().unwrap().status.success()
}

/// How many values differ, when keys and their order must not. Visits are compared as they are uncompressed.
fn differing(number: u8, layout: Layout, old: &Path, new: &Path) -> usize {
    let (old, new) = (pairs(old, number), pairs(new, number));
    assert_eq!(old.len(), new.len(), "table {number:02x}");
    let plain = |(key, value): &(Vec<u8>, Vec<u8>)| match number {
        layout::table::VISITS => {
            let decoded = layout::decode_pair(number, layout, key, value);
            format!("{:?}", (decoded.header.fields, decoded.header.residue))
        }
        _ => format!("{value:?}"),
    };
    let pairs = old.iter().zip(&new);
    pairs.map(|(old, new)| assert_eq!(old.0, new.0, "table {number:02x}")).count();
    old.iter().zip(&new).filter(|(old, new)| plain(old) != plain(new)).count()
}

fn layout_of(name: &str) -> Layout {
    layout_at(unpack_site(name).path()).unwrap().unwrap()
}

fn assert_no_difference(one: &Site, other: &Site) {
    let (mut first, mut second) = (one.source(options(), &Silent), other.source(options(), &Silent));
    let mut comparison = Comparison::begin(&mut first, &mut second).unwrap();
    assert_eq!(comparison.next_difference().unwrap(), None);
}

#[test]
fn a_site_of_another_machine_comes_to_64_bits_and_goes_back_with_the_bytes_that_it_had() {
    for name in ["small-i386", "small-s390x"] {
        let unpacked = unpack_site(name);
        let old = Site::open(unpacked.path()).unwrap();
        let home = old.info().layout;
        assert_ne!(home, Layout::LP64_LITTLE);
        let (here, summary, notices) = written(&old, Layout::LP64_LITTLE);
        assert!(notices.iter().any(|notice| notice.contains(&format!("comes from a {home} server"))), "{notices:?}");
        let moved = Site::open(here.path()).unwrap();
        assert_no_difference(&old, &moved);
        let (back, again, _) = written(&moved, home);
        assert_eq!(summary.site_digest, again.site_digest, "{name}");
        assert_no_difference(&old, &Site::open(back.path()).unwrap());
        let residues = residues(&old);
        for number in 0..layout::table::COUNT {
            assert!(is_whole(here.path(), number) && is_whole(back.path(), number), "{name}: table {number:02x}");
            let changed = differing(number, home, unpacked.path(), back.path());
            let kind = match number {
                layout::table::VISITS => Some(Kind::Visit),
                layout::table::USES => Some(Kind::Use),
                _ => None,
            };
            // Nothing else of these sites has bytes that mean nothing.
            let left_out = kind.and_then(|kind| residues.get(&kind)).copied().unwrap_or(0);
            assert_eq!(changed, left_out, "{name}: table {number:02x}");
        }
        let counted: usize = residues.values().sum();
        let told = notices.iter().any(|notice| notice.starts_with(&format!("{counted} records had bytes")));
        assert_eq!(told, counted > 0, "{notices:?}");
    }
}

#[test]
fn a_site_of_this_machine_goes_to_any_other_and_comes_back() {
    let unpacked = unpack_site("small");
    let old = Site::open(unpacked.path()).unwrap();
    let mut digests = Vec::new();
    for machine in ["small-i386", "small-s390x"] {
        let (there, summary, _) = written(&old, layout_of(machine));
        let (back, again, _) = written(&Site::open(there.path()).unwrap(), Layout::LP64_LITTLE);
        assert_no_difference(&old, &Site::open(back.path()).unwrap());
        for number in (0..layout::table::COUNT).filter(|number| *number != layout::table::VISITS) {
            let changed = differing(number, Layout::LP64_LITTLE, unpacked.path(), back.path());
            assert!(changed == 0 || number == layout::table::USES, "{machine}: table {number:02x}");
        }
        digests.extend([summary.site_digest, again.site_digest]);
    }
    assert!(digests.iter().all(|digest| *digest == digests[0]), "{digests:?}");
}

/// A site whose numbers have grown out of 32 bits.
struct Grown<S>(S);

const TOO_WIDE: i64 = 5_000_000_000;

impl<S: Source> Source for Grown<S> {
    fn site(&self) -> &SiteInfo {
        self.0.site()
    }
    fn next(&mut self) -> Result<Option<Header>, Failure> {
        let mut header = self.0.next()?;
        match &mut header {
            Some(header) if header.kind == Kind::User => header.fields.set_int("timescalled", TOO_WIDE),
            Some(Header { kind: Kind::Room, body: Some(Body::Inline(list)), .. }) if !list.is_empty() => {
                list[..8].copy_from_slice(&TOO_WIDE.to_be_bytes());
            }
            _ => {}
        }
        Ok(header)
    }
    fn segment(&mut self, segment: &mut Vec<u8>) -> Result<bool, Failure> {
        self.0.segment(segment)
    }
    fn digest(&self) -> Digest {
        self.0.digest()
    }
    fn finish(&mut self) -> Result<End, Failure> {
        self.0.finish()
    }
}

#[test]
fn records_with_numbers_that_do_not_fit_are_named_all_together() {
    let unpacked = unpack_site("small");
    let site = Site::open(unpacked.path()).unwrap();
    let new = tempfile::tempdir().unwrap();
    let target = layout_of("small-i386");
    let mut sink = SiteSink::create(new.path(), std::env::temp_dir(), SiteOwner::of_process(), target).unwrap();
    let failure = copy(&mut Grown(site.source(options(), &Silent)), &mut sink, &Silent).unwrap_err();
    let Some(WriteSiteError::Misfits(misfits)) = failure.cause() else { panic!("{failure}") };
    let named = |kind| misfits.named().iter().filter(|misfit| misfit.kind == kind).count();
    assert_eq!(named(Kind::User), 13);
    assert!(named(Kind::Room) > 20, "{failure}");
    assert_eq!(misfits.count(), misfits.named().len() as u64);
    let text = failure.to_string();
    assert!(text.contains("user record alice: timescalled is 5000000000"), "{text}");
    assert!(text.contains("import onto a 64-bit server"), "{text}");
    assert!(text.contains("nothing of the target was changed"), "{text}");
}
