//! Catalogues of sites, and the digests that are kept from one to the next.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use ctdl_dump::archive::{Options, RandomReader, Writer};
use ctdl_dump::endpoint::{Class, Failure};
use ctdl_dump::monitor::Silent;
use ctdl_dump::record::{Header, Key, Kind};
use ctdl_dump::site::{Catalogue, CatalogueError, CatalogueOptions, ReadOptions, Site, forget_digests};
use ctdl_dump::transfer::copy;
use tempfile::TempDir;

use crate::support::{listing, unpack_site};

/// A page of table 08 of the fixtures.
const PAGE: u64 = 4096;
/// Where in its header a page says what it is, and which one comes before it in its chain.
const TYPE: usize = 25;
const PREVIOUS: usize = 12;

struct Scene {
    site: TempDir,
    work: TempDir,
}

impl Scene {
    fn new() -> Self {
        Scene { site: unpack_site("small"), work: tempfile::tempdir().unwrap() }
    }

    fn digests(&self) -> PathBuf {
        self.work.path().join("digests")
    }

    fn read_options(&self) -> ReadOptions {
        ReadOptions { scratch: self.work.path().to_owned(), logs: Vec::new(), without_fulltext: false, salvages: false }
    }

    fn make_at(&self, begun: SystemTime) -> (Site, Catalogue) {
        let site = Site::open(self.site.path()).unwrap();
        let options = CatalogueOptions { read: self.read_options(), digests: Some(self.digests()), begun };
        let catalogue = Catalogue::make(&site, &options, &mut |_| (), &Silent).unwrap();
        (site, catalogue)
    }

    /// Makes a catalogue at a time when what was unpacked just now is old.
    fn make(&self) -> (Site, Catalogue) {
        self.make_at(SystemTime::now() + Duration::from_secs(60))
    }

    fn digests_file(&self) -> PathBuf {
        let mut files = fs::read_dir(self.digests()).unwrap().map(|entry| entry.unwrap().path());
        let file = files.next().unwrap();
        assert_eq!(files.next(), None, "one file for one site, and no leftovers");
        file
    }

    fn export(&self) -> RandomReader {
        let site = Site::open(self.site.path()).unwrap();
        let mut writer = Writer::new(tempfile::tempfile().unwrap(), Options { level: 1, threads: 1 });
        copy(&mut site.source(self.read_options(), &Silent), &mut writer, &Silent).unwrap();
        RandomReader::open(writer.into_output()).unwrap()
    }

    fn big_bodies(&self) -> File {
        File::options().read(true).write(true).open(self.site.path().join("data/cdb.08")).unwrap()
    }

    /// Changes a byte on the first overflow page that stands in its chain as is wanted.
    fn change_page(&self, is_first: bool) {
        let table = self.big_bodies();
        for page in 1.. {
            let mut bytes = [0; 128];
            table.read_exact_at(&mut bytes, page * PAGE).unwrap();
            let previous = u32::from_le_bytes(bytes[PREVIOUS..PREVIOUS + 4].try_into().unwrap());
            let next = u32::from_le_bytes(bytes[PREVIOUS + 4..PREVIOUS + 8].try_into().unwrap());
            let fits = if is_first { previous == 0 && next != 0 } else { previous != 0 };
            if bytes[TYPE] == 7 && fits {
                table.write_all_at(&[bytes[100] ^ 1], page * PAGE + 100).unwrap();
                return;
            }
        }
    }
}

fn read_all(site: &Site, catalogue: &Catalogue) -> Result<Vec<(Header, Vec<u8>)>, CatalogueError> {
    let mut reader = catalogue.reader(site);
    let mut records = Vec::new();
    while let Some(header) = reader.next_record()? {
        let (mut body, mut segment) = (Vec::new(), Vec::new());
        while reader.segment(&mut segment)? {
            body.extend_from_slice(&segment);
        }
        records.push((header, body));
    }
    Ok(records)
}

fn block_digests(catalogue: &Catalogue) -> Vec<[u8; 32]> {
    catalogue.blocks().iter().map(|block| block.digest).collect()
}

#[test]
fn a_site_that_is_changed_while_it_is_looked_through_is_in_use_and_not_damaged() {
    let scene = Scene::new();
    let site = Site::open(scene.site.path()).unwrap();
    fs::remove_file(scene.site.path().join("files/library/large.dat")).unwrap();
    let options = CatalogueOptions { read: scene.read_options(), digests: None, begun: SystemTime::now() };
    let failure = Failure::from(Catalogue::make(&site, &options, &mut |_| (), &Silent).unwrap_err());
    assert_eq!(failure.class, Class::InUse, "{failure}");
}

#[test]
fn only_its_owner_sees_what_is_kept_and_the_state_directory_around_it() {
    let scene = Scene::new();
    let directory = scene.work.path().join("state/digests");
    let site = Site::open(scene.site.path()).unwrap();
    let options =
        CatalogueOptions { read: scene.read_options(), digests: Some(directory.clone()), begun: SystemTime::now() };
    Catalogue::make(&site, &options, &mut |_| (), &Silent).unwrap();
    for directory in [&directory, directory.parent().unwrap()] {
        assert_eq!(directory.metadata().unwrap().permissions().mode() & 0o777, 0o700, "{}", directory.display());
    }
}

#[test]
fn a_catalogue_has_the_blocks_and_the_records_of_an_export() {
    let scene = Scene::new();
    let archive = scene.export();
    let before = listing(scene.site.path());
    let (site, catalogue) = scene.make();
    let expected: Vec<_> = archive.index().map(|entry| entry.unwrap().identity_digest).collect();
    assert_eq!(block_digests(&catalogue), expected);
    let records = read_all(&site, &catalogue).unwrap();
    let mut stream = archive.stream();
    for (header, body) in &records {
        assert_eq!(stream.next_record().unwrap().as_ref(), Some(header));
        let (mut exported, mut segment) = (Vec::new(), Vec::new());
        while stream.segment(&mut segment).unwrap() {
            exported.extend_from_slice(&segment);
        }
        assert_eq!(&exported, body);
    }
    assert_eq!(stream.next_record().unwrap(), None);

    let mut reader = catalogue.reader(&site);
    for number in [records.len() - 1, 0, 17, 18, 400, 399, 90, 1] {
        let header = &records[number].0;
        assert!(reader.seek(header.kind, &header.key).unwrap());
        assert_eq!(reader.next_record().unwrap().as_ref(), Some(header));
    }
    assert!(!reader.seek(Kind::Message, &Key::number(0)).unwrap());
    assert_eq!(reader.upcoming().unwrap().map(|record| record.kind), Some(Kind::Message));
    assert_eq!(listing(scene.site.path()), before);
}

#[test]
fn what_has_not_changed_is_not_read_again() {
    let scene = Scene::new();
    let (_, first) = scene.make();
    let mode = scene.digests_file().metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let (site, second) = scene.make();
    assert_eq!(block_digests(&second), block_digests(&first));
    // What is left are lists, which are not long, and bodies of one page.
    assert!(second.read_bytes() < first.read_bytes() / 4, "{} of {}", second.read_bytes(), first.read_bytes());
    read_all(&site, &second).unwrap();
    forget_digests(&scene.digests(), scene.site.path()).unwrap();
    assert_eq!(scene.make().1.read_bytes(), first.read_bytes());
}

#[test]
fn what_somebody_has_left_who_was_killed_while_he_wrote_is_removed_and_nothing_else() {
    let scene = Scene::new();
    scene.make();
    let file = |name: &str, age: u64| {
        let file = File::create(scene.digests().join(name)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
        file
    };
    let (_left, _new, _other) = (file(".unfinished-left", 100), file(".unfinished-new", 0), file("other", 100));
    let at_work = file(".unfinished-at-work", 100);
    rustix::fs::flock(&at_work, rustix::fs::FlockOperation::LockExclusive).unwrap();
    scene.make();
    let names = fs::read_dir(scene.digests()).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
    names.retain(|name| !name.ends_with(".digests"));
    names.sort();
    assert_eq!(names, [".unfinished-at-work", ".unfinished-new", "other"]);
}

#[test]
fn a_message_whose_first_page_has_changed_is_read_again() {
    let scene = Scene::new();
    let (_, first) = scene.make();
    scene.change_page(true);
    let (site, second) = scene.make();
    let differing = block_digests(&first).iter().zip(block_digests(&second)).filter(|(a, b)| **a != *b).count();
    assert_eq!(differing, 1);
    read_all(&site, &second).unwrap();
}

#[test]
fn a_file_that_was_written_anew_is_read_again_whatever_its_time_says() {
    let scene = Scene::new();
    let (_, first) = scene.make();
    let files = walkdir::WalkDir::new(scene.site.path().join("files")).into_iter().map(Result::unwrap);
    let large = files.filter(|entry| entry.file_type().is_file()).max_by_key(|entry| entry.metadata().unwrap().len());
    let path = large.unwrap().into_path();
    let (bytes, time) = (fs::read(&path).unwrap(), path.metadata().unwrap().modified().unwrap());
    let file = File::options().write(true).open(&path).unwrap();
    file.write_all_at(&[bytes[0] ^ 1], 0).unwrap();
    file.set_modified(time).unwrap();
    let (site, second) = scene.make();
    assert_ne!(block_digests(&second), block_digests(&first));
    read_all(&site, &second).unwrap();
}

#[test]
fn files_that_were_written_shortly_before_are_read_again() {
    let scene = Scene::new();
    scene.make();
    let (_, old) = scene.make();
    let (_, young) = scene.make_at(SystemTime::now());
    assert!(young.read_bytes() > old.read_bytes() + 2_000_000, "{} and {}", young.read_bytes(), old.read_bytes());
}

#[test]
fn a_record_that_is_not_what_its_digest_says_is_named_and_not_given() {
    let scene = Scene::new();
    scene.make();
    scene.change_page(false);
    // The first page of the chain is the same, so the old digest is believed, until the record is read.
    let (site, catalogue) = scene.make();
    let error = read_all(&site, &catalogue).unwrap_err();
    assert!(matches!(&error, CatalogueError::Changed { kind: Kind::Message, .. }), "{error}");
    assert!(error.to_string().starts_with("message "), "{error}");
}

#[test]
fn digests_that_are_damaged_or_of_another_site_count_as_none() {
    let scene = Scene::new();
    let (_, first) = scene.make();
    let file = scene.digests_file();
    let whole = fs::read(&file).unwrap();
    let mut damaged: Vec<Vec<u8>> = [0, 20, 40, 53, 70, whole.len() / 2, whole.len() - 33, whole.len() - 1]
        .iter()
        .map(|at| {
            let mut bytes = whole.clone();
            bytes[*at] ^= 1;
            bytes
        })
        .collect();
    damaged.extend([0, 19, 33, whole.len() / 2, whole.len() - 1].map(|length| whole[..length].to_vec()));
    for bytes in damaged {
        fs::write(&file, bytes).unwrap();
        let (_, again) = scene.make();
        assert_eq!((again.read_bytes(), block_digests(&again)), (first.read_bytes(), block_digests(&first)));
        assert_eq!(fs::read(&file).unwrap().len(), whole.len());
    }
    // A copy under the same path is another site.
    let old = scene.site.path().with_extension("old");
    fs::rename(scene.site.path(), &old).unwrap();
    copy_tree(&old, scene.site.path());
    let (_, copied) = scene.make();
    assert!(copied.read_bytes() >= first.read_bytes());
    fs::remove_dir_all(old).unwrap();
}

fn copy_tree(from: &Path, to: &Path) {
    assert!(std::process::Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
}
