use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::super::moving::Patience;
use super::super::tables::copy_tables_with;
use super::*;
use crate::monitor::{Collecting, Silent};

const PAGE: usize = 4096;

fn one_table(place: &Place, bytes: &[u8]) {
    place.write("site/data/cdb.00", bytes);
}

/// Pages of which each is filled with one number.
fn pages_of(count: usize, generation: u64) -> Vec<u8> {
    generation.to_le_bytes().repeat(PAGE / 8 * count)
}

fn is_torn(page: &[u8]) -> bool {
    page.chunks(8).any(|number| number != &page[..8])
}

fn torn_pages(table: &[u8]) -> Vec<usize> {
    table.chunks(PAGE).enumerate().filter(|(_, page)| is_torn(page)).map(|(number, _)| number).collect()
}

fn impatient() -> Patience {
    Patience { apart: Duration::from_micros(10), most_looks: 20 }
}

#[test]
fn a_table_at_rest_is_copied_to_the_byte_whatever_its_size() {
    let block = 1 << 20;
    for size in [0, 1, 24, 4095, 4096, 4097, 8192, block - 1, block, block + 1, 2 * block, 2 * block + 4096 + 5] {
        let place = Place::new();
        let bytes: Vec<u8> = (0..size).map(|at| (at / 7) as u8).collect();
        one_table(&place, &bytes);
        let copied = copy_tables(&place.data(), &place.copy(), Source::Still, &Silent).unwrap();
        assert_eq!(place.read("copy/cdb.00"), bytes, "{size}");
        assert_eq!((copied.tables, copied.bytes, copied.looks), (1, size as u64, 1));
        assert_eq!(fs::metadata(place.path("copy/cdb.00")).unwrap().permissions().mode() & 0o7777, 0o600);

        let moving = Place::new();
        one_table(&moving, &bytes);
        let copied = copy_tables_with(&moving.data(), &moving.copy(), Source::Moving, impatient(), &Silent).unwrap();
        let whole = size / PAGE * PAGE;
        assert_eq!(moving.read("copy/cdb.00"), bytes[..whole], "{size}");
        assert_eq!((copied.bytes, copied.contested_pages), (whole as u64, 0));
    }
}

#[test]
fn only_tables_are_copied_and_all_of_them() {
    let place = Place::new();
    for name in ["cdb.00", "cdb.0d", "cdb.ff", "cdb.0", "cdb.0D", "log.0000000001", "DB_CONFIG", "__db.001"] {
        place.write(&format!("site/data/{name}"), &[7; 8192]);
    }
    copy_tables(&place.data(), &place.copy(), Source::Still, &Silent).unwrap();
    let mut names: Vec<_> = fs::read_dir(place.copy()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["cdb.00", "cdb.0d", "cdb.ff"]);
}

#[test]
fn zeros_take_no_room_in_the_copy() {
    for source in [Source::Still, Source::Moving] {
        let place = Place::new();
        let mut bytes = vec![0; 8 << 20];
        bytes[5 << 20] = 1;
        one_table(&place, &bytes);
        copy_tables_with(&place.data(), &place.copy(), source, impatient(), &Silent).unwrap();
        assert!(place.read("copy/cdb.00") == bytes);
        assert!(fs::metadata(place.path("copy/cdb.00")).unwrap().blocks() * 512 < 1 << 20);
    }
}

#[test]
fn a_page_that_is_half_written_while_it_is_read_is_never_accepted() {
    let place = Place::new();
    one_table(&place, &pages_of(1000, 1));
    let file = open_to_write(&place.path("site/data/cdb.00"));
    let mut chance = Chance(1);
    let mut half_written: Vec<(u64, u64)> = Vec::new();
    let mut saw_half = 0;
    let monitor = Busy::new(|step| {
        // The second halves of what was begun at the step before, then first halves of others.
        for (page, generation) in half_written.drain(..) {
            let second_half = generation.to_le_bytes().repeat(PAGE / 16);
            write_at(&file, &second_half, page * PAGE as u64 + PAGE as u64 / 2);
        }
        if step < 60 {
            half_written.extend((0..40).map(|_| (chance.below(1000), step + 2)));
            half_written.sort();
            half_written.dedup_by_key(|(page, _)| *page);
            saw_half += half_written.len();
        }
        for (page, generation) in &half_written {
            write_at(&file, &generation.to_le_bytes().repeat(PAGE / 16), page * PAGE as u64);
        }
        Ok(())
    });
    let copied = copy_tables_with(&place.data(), &place.copy(), Source::Moving, Patience::default(), &monitor).unwrap();
    assert!(saw_half > 1000 && copied.looks > 2 && copied.contested_pages > 0, "{saw_half} {copied:?}");
    assert_eq!(torn_pages(&place.read("copy/cdb.00")), [0; 0]);
}

#[test]
fn a_thread_that_writes_in_halves_leaves_no_torn_page_in_the_copy() {
    const PAGES: u64 = 2000;
    let place = Place::new();
    one_table(&place, &pages_of(PAGES as usize, 1));
    let patience = Patience::default();
    let (permit, permits) = mpsc::channel();
    let file = open_to_write(&place.path("site/data/cdb.00"));
    let (longest_half, least_apart) = std::thread::scope(|scope| {
        let writer = scope.spawn(move || {
            let mut chance = Chance(2);
            let mut longest_half = Duration::ZERO;
            for generation in permits {
                for _ in 0..100 {
                    let half = u64::to_le_bytes(generation).repeat(PAGE / 16);
                    let offset = chance.below(PAGES) * PAGE as u64;
                    let begun = Instant::now();
                    write_at(&file, &half, offset);
                    write_at(&file, &half, offset + PAGE as u64 / 2);
                    longest_half = longest_half.max(begun.elapsed());
                }
            }
            longest_half
        });
        let monitor = Busy::new(|step| {
            // So it comes to rest at last.
            if step < 60 {
                permit.send(step + 2).unwrap();
            }
            Ok(())
        });
        let copied = copy_tables_with(&place.data(), &place.copy(), Source::Moving, patience, &monitor).unwrap();
        drop(permit);
        (writer.join().unwrap(), patience.before_look(copied.looks))
    });
    // A machine so busy that a half-written page stood still for all the time between two looks proves nothing.
    if longest_half < least_apart {
        assert_eq!(torn_pages(&place.read("copy/cdb.00")), [0; 0]);
    }
}

#[test]
fn a_page_that_never_rests_makes_the_copy_void() {
    let place = Place::new();
    one_table(&place, &pages_of(300, 1));
    let file = open_to_write(&place.path("site/data/cdb.00"));
    let monitor = Busy::new(|step| {
        write_at(&file, &pages_of(1, step + 2), 7 * PAGE as u64);
        Ok(())
    });
    let error = copy_tables_with(&place.data(), &place.copy(), Source::Moving, impatient(), &monitor).unwrap_err();
    assert!(error.is_void());
    assert!(error.to_string().contains("cdb.00: 1 pages changed at each of 20 looks"), "{error}");
}

#[test]
fn a_table_that_grows_is_copied_to_whole_pages_that_were_there() {
    let place = Place::new();
    one_table(&place, &pages_of(600, 1));
    let file = open_to_write(&place.path("site/data/cdb.00"));
    let monitor = Busy::new(|step| {
        if step < 4 {
            write_at(&file, &pages_of(1, step + 2), (800 + step) * PAGE as u64);
            write_at(&file, &[1; 100], (801 + step) * PAGE as u64);
        }
        Ok(())
    });
    copy_tables_with(&place.data(), &place.copy(), Source::Moving, impatient(), &monitor).unwrap();
    let (copy, now) = (place.read("copy/cdb.00"), place.read("site/data/cdb.00"));
    assert_eq!(now.len(), 804 * PAGE + 100);
    assert!(copy.len() >= 801 * PAGE && copy.len().is_multiple_of(PAGE), "{}", copy.len());
    assert!(copy[..] == now[..copy.len()]);
}

#[test]
fn a_table_that_shrinks_is_copied_as_far_as_it_is_there() {
    let place = Place::new();
    one_table(&place, &pages_of(600, 1));
    let file = open_to_write(&place.path("site/data/cdb.00"));
    let monitor = Busy::new(|step| {
        if step == 2 {
            file.set_len(10 * PAGE as u64 + 5).unwrap();
        }
        Ok(())
    });
    let copied = copy_tables_with(&place.data(), &place.copy(), Source::Moving, impatient(), &monitor).unwrap();
    assert_eq!(copied.bytes, 10 * PAGE as u64);
    assert_eq!(place.read("copy/cdb.00"), pages_of(10, 1));
}

#[test]
fn a_page_has_the_size_that_its_table_says() {
    for (order, size) in [(true, 512), (true, 65_536), (false, 8192)] {
        let place = Place::new();
        let number = |number: u32| if order { number.to_le_bytes() } else { number.to_be_bytes() };
        let mut bytes = vec![3; size * 2 + size / 2];
        bytes[12..16].copy_from_slice(&number(0x0005_3162));
        bytes[20..24].copy_from_slice(&number(size as u32));
        one_table(&place, &bytes);
        copy_tables_with(&place.data(), &place.copy(), Source::Moving, impatient(), &Silent).unwrap();
        assert_eq!(place.read("copy/cdb.00"), bytes[..size * 2]);
    }
    for nonsense in [0, 1, 256, 4095, 131_072, u32::MAX] {
        let place = Place::new();
        let mut bytes = vec![3; PAGE * 2 + 100];
        bytes[12..16].copy_from_slice(&0x0005_3162_u32.to_le_bytes());
        bytes[20..24].copy_from_slice(&nonsense.to_le_bytes());
        one_table(&place, &bytes);
        copy_tables_with(&place.data(), &place.copy(), Source::Moving, impatient(), &Silent).unwrap();
        assert_eq!(place.read("copy/cdb.00"), bytes[..PAGE * 2]);
    }
}

#[test]
fn a_table_that_comes_or_goes_makes_the_copy_void() {
    for (name, come) in [("cdb.01", true), ("cdb.00", false)] {
        let place = Place::new();
        one_table(&place, &pages_of(10, 1));
        let path = place.data().join(name);
        let monitor = Busy::new(|step| {
            match (step, come) {
                (1, true) => fs::write(&path, [0; 8192]).unwrap(),
                (1, false) => fs::remove_file(&path).unwrap(),
                _ => {}
            }
            Ok(())
        });
        let error = copy_tables(&place.data(), &place.copy(), Source::Moving, &monitor).unwrap_err();
        assert!(error.is_void() && error.to_string().contains(name), "{error}");
    }
}

#[test]
fn what_is_no_file_is_not_opened_and_not_waited_for() {
    let place = Place::new();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        place.data().join("cdb.00"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    let error = copy_tables(&place.data(), &place.copy(), Source::Still, &Silent).unwrap_err();
    assert!(matches!(error, SnapshotError::TablesChanged { .. }), "{error}");
}

#[test]
fn an_interruption_ends_the_copy_at_the_next_block() {
    let place = Place::new();
    one_table(&place, &pages_of(1000, 1));
    for source in [Source::Still, Source::Moving] {
        let monitor = Busy::new(|step| if step == 2 { Err(()) } else { Ok(()) });
        let error = copy_tables(&place.data(), &place.copy(), source, &monitor).unwrap_err();
        assert!(matches!(error, SnapshotError::Interrupted), "{error}");
    }
    let monitor = Collecting::default();
    monitor.interrupt();
    assert!(copy_tables(&place.data(), &place.copy(), Source::Moving, &monitor).is_err());
}
