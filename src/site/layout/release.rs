//! Which release's schema a site has, and whether it is one that is read here.

use super::ctype::of_word;
use super::{ROOM, Sample, USER, table};
use crate::record::{Layout, printable};

/// The setting that says which release's schema the tables have.
const SETTING: &str = "MM_hosted_upgrade_level";

/// The release that all this was tried with.
const TRIED: i64 = 980;

/// The first release whose tables are those of 980: that which made the use table's keys numbers.
const FIRST: i64 = 975;

/// Why a site's release is not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReleaseError {
    /// The setting is not there.
    #[error(
        "the site has no setting {SETTING} in cdb.0d, so it is from before release 902 of 2016, or was never started; sites from release {FIRST} on are read: upgrade a copy of the site to {TRIED} and export that"
    )]
    Absent,
    /// The setting is no number.
    #[error(
        "the site's setting {SETTING} is \"{value}\", which is no number of a release, and a server would take it for 0; set it right on the old server (CONF PUTVAL) and export again"
    )]
    NoNumber {
        /// The setting, as a person reads it.
        value: String,
    },
    /// Too old.
    #[error(
        "the site is of release {release}; sites from release {FIRST} on are read: upgrade a copy of the site to {TRIED} and export that"
    )]
    TooOld {
        /// The release.
        release: i64,
    },
    /// Newer, and its structs have grown.
    #[error(
        "the site is of release {release}, and cdb.{table:02x} has a value of {value_bytes} bytes, where {TRIED} writes {expected_bytes}: its tables are not those of {TRIED}; a newer ctdl-dump is needed"
    )]
    Unknown {
        /// The release.
        release: i64,
        /// The table.
        table: u8,
        /// The value's length.
        value_bytes: u64,
        /// The length that release 980 writes.
        expected_bytes: usize,
    },
}

/// The release of a site, by its setting `MM_hosted_upgrade_level` (as stored in table 0d's value, without name and NULs) and the samples
/// that `detect` got. Releases from 975 on are read, newer ones than 980 as long as their users and rooms are no longer than its.
pub fn release(level: Option<&[u8]>, layout: Layout, samples: &[Sample]) -> Result<i64, ReleaseError> {
    let level = level.ok_or(ReleaseError::Absent)?;
    let release: i64 = std::str::from_utf8(level)
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .ok_or_else(|| ReleaseError::NoNumber { value: printable(level) })?;
    if release < FIRST {
        return Err(ReleaseError::TooOld { release });
    }
    if release > TRIED {
        for sample in samples {
            let expected_bytes = match sample.table {
                table::USERS => of_word(layout, USER.size),
                table::ROOMS => of_word(layout, ROOM.size),
                _ => continue,
            };
            if let Some((_, value_bytes)) = sample.pair_bytes
                && value_bytes > expected_bytes as u64
            {
                return Err(ReleaseError::Unknown { release, table: sample.table, value_bytes, expected_bytes });
            }
        }
    }
    Ok(release)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::ByteOrder;

    fn of(level: &str) -> Result<i64, ReleaseError> {
        release(Some(level.as_bytes()), Layout::LP64_LITTLE, &[])
    }

    #[test]
    fn releases_from_975_on_are_read() {
        assert_eq!(of("975"), Ok(975));
        assert_eq!(of("980"), Ok(980));
        assert_eq!(of("1005"), Ok(1005));
    }

    #[test]
    fn older_releases_are_refused_by_name() {
        assert_eq!(of("902"), Err(ReleaseError::TooOld { release: 902 }));
        assert_eq!(of("0"), Err(ReleaseError::TooOld { release: 0 }));
        assert!(of("902").unwrap_err().to_string().contains("release 902"));
    }

    #[test]
    fn a_level_that_is_absent_or_no_number_is_refused() {
        assert_eq!(release(None, Layout::LP64_LITTLE, &[]), Err(ReleaseError::Absent));
        assert!(matches!(of(""), Err(ReleaseError::NoNumber { .. })));
        assert!(matches!(of("new"), Err(ReleaseError::NoNumber { .. })));
    }

    #[test]
    fn a_newer_release_with_longer_users_is_refused() {
        let longer = Sample { table: table::USERS, order: ByteOrder::Little, pair_bytes: Some((5, 712)) };
        assert!(matches!(
            release(Some(b"990"), Layout::LP64_LITTLE, &[longer]),
            Err(ReleaseError::Unknown { value_bytes: 712, expected_bytes: 704, .. })
        ));
        assert_eq!(release(Some(b"980"), Layout::LP64_LITTLE, &[longer]), Ok(980));
    }
}
