use super::super::block::Copy;
use super::*;
use crate::site::inventory;

#[test]
fn the_estimate_covers_what_the_copies_take() {
    let place = Place::new();
    place.write("site/data/cdb.00", &[1; 100_000]);
    place.write("site/data/log.0000000001", &[1; 300_000]);
    place.write("site/data/log.0000000002", &[1; 50_000]);
    place.write("site/files/a", &[1; 7_000]);
    let inventory = inventory::take(&place.path("site")).unwrap();
    let all = estimate(&place.data(), 1, Some(&inventory), false).unwrap();
    let without_first_log = estimate(&place.data(), 2, Some(&inventory), false).unwrap();
    let without_files = estimate(&place.data(), 2, None, false).unwrap();
    let cloned = estimate(&place.data(), 2, None, true).unwrap();
    assert!(all > 457_000);
    assert!(all - without_first_log >= 300_000);
    assert_eq!(without_first_log - without_files, 7_000);
    assert!(without_files - cloned >= 150_000);
}

#[test]
fn too_little_room_is_told_before_anything_is_copied() {
    let place = Place::new();
    check_space(&place.copy(), 1000).unwrap();
    let error = check_space(&place.copy(), u64::MAX).unwrap_err().to_string();
    for part in ["/copy has ", " bytes free", &u64::MAX.to_string(), "--scratch"] {
        assert!(error.contains(part), "{error}");
    }
    assert!(matches!(check_space(&place.path("nowhere"), 1), Err(SnapshotError::Scratch { .. })));
}

#[test]
fn a_disk_that_becomes_full_is_told_with_what_was_needed() {
    let full = Copy::reopen(Path::new("/dev/full"), 12_345).unwrap();
    let error = full.write_at(b"x", 0).unwrap_err();
    assert!(matches!(error, SnapshotError::Full { .. }));
    let error = error.to_string();
    assert!(error.contains("/dev/full") && error.contains("12345 bytes") && error.contains("--scratch"), "{error}");
}

#[test]
fn whether_blocks_can_be_shared_is_tried_without_leaving_anything() {
    let place = Place::new();
    place.write("site/data/cdb.00", &[1; 8192]);
    let can = can_clone(&place.data(), &place.copy());
    assert_eq!(fs::read_dir(place.copy()).unwrap().count(), 0);
    assert!(!can_clone(&place.path("nowhere"), &place.copy()));
    let copied = copy_tables(&place.data(), &place.copy(), Source::Still, &crate::monitor::Silent).unwrap();
    assert_eq!(copied.cloned == 1, can);
}
