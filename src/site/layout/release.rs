//! Which release's schema a site has, and whether it is one that is read here.

use super::{Dialect, ROOM, Sample, TRIED, USER, table};
use crate::record::{Layout, printable};

/// The setting that says which release's schema the tables have.
const SETTING: &str = "MM_hosted_upgrade_level";

/// The first release whose sites are known.
const FIRST: i64 = 700;

/// Why a site's release is not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReleaseError {
    /// Nothing tells it.
    #[error(
        "nothing tells the site's release: there is neither the setting {SETTING} in cdb.0d nor a citadel.control that can be read; name the directory that holds citadel.control and data/ with --site, or start a copy of the site once with its own server"
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
        "the site is of release {release}, by {by}; sites from release {FIRST} on are read: upgrade a copy of the site to {TRIED} and export that"
    )]
    TooOld {
        /// The release.
        release: i64,
        /// What told it.
        by: &'static str,
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

/// The release of a site, and what told it: the setting `MM_hosted_upgrade_level` (as stored in table 0d's value, without name and NULs), or
/// where that table has no settings at all, what stands in `citadel.control`. Releases newer than 980 are read as long as their users and
/// rooms are no longer than its, by the samples that `detect` got.
pub fn release(
    level: Option<&[u8]>,
    has_settings: bool,
    control: Option<i64>,
    layout: Layout,
    samples: &[Sample],
) -> Result<(i64, &'static str), ReleaseError> {
    let (release, by) = match level {
        Some(level) => (
            std::str::from_utf8(level)
                .ok()
                .and_then(|text| text.trim().parse().ok())
                .ok_or_else(|| ReleaseError::NoNumber { value: printable(level) })?,
            "the setting MM_hosted_upgrade_level",
        ),
        None if has_settings => return Err(ReleaseError::Absent),
        None => (control.ok_or(ReleaseError::Absent)?, "citadel.control"),
    };
    if release < FIRST {
        return Err(ReleaseError::TooOld { release, by });
    }
    if release > TRIED {
        for sample in samples {
            let expected_bytes = match sample.table {
                table::USERS => USER.size(Dialect { layout, release: TRIED }),
                table::ROOMS => ROOM.size(Dialect { layout, release: TRIED }),
                _ => continue,
            };
            if let Some((_, value_bytes)) = sample.pair_bytes
                && value_bytes > expected_bytes as u64
            {
                return Err(ReleaseError::Unknown { release, table: sample.table, value_bytes, expected_bytes });
            }
        }
    }
    Ok((release, by))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::ByteOrder;

    fn of(level: &str) -> Result<i64, ReleaseError> {
        release(Some(level.as_bytes()), true, None, Layout::LP64_LITTLE, &[]).map(|(release, _)| release)
    }

    #[test]
    fn the_setting_tells_the_release_and_where_there_are_none_the_control_file() {
        assert_eq!(of("902"), Ok(902));
        assert_eq!(of("980"), Ok(980));
        assert_eq!(of("1005"), Ok(1005));
        let by_control = release(None, false, Some(772), Layout::LP64_LITTLE, &[]);
        assert_eq!(by_control, Ok((772, "citadel.control")));
        assert_eq!(release(None, true, Some(772), Layout::LP64_LITTLE, &[]), Err(ReleaseError::Absent));
    }

    #[test]
    fn releases_that_nobody_knows_are_refused_by_name() {
        assert!(matches!(of("0"), Err(ReleaseError::TooOld { release: 0, .. })));
        assert!(of("599").unwrap_err().to_string().contains("release 599"));
    }

    #[test]
    fn a_level_that_is_absent_or_no_number_is_refused() {
        assert_eq!(release(None, false, None, Layout::LP64_LITTLE, &[]), Err(ReleaseError::Absent));
        assert!(matches!(of(""), Err(ReleaseError::NoNumber { .. })));
        assert!(matches!(of("new"), Err(ReleaseError::NoNumber { .. })));
    }

    #[test]
    fn a_newer_release_with_longer_users_is_refused() {
        let longer = Sample { table: table::USERS, order: ByteOrder::Little, pair_bytes: Some((5, 712)) };
        assert!(matches!(
            release(Some(b"990"), true, None, Layout::LP64_LITTLE, &[longer]),
            Err(ReleaseError::Unknown { value_bytes: 712, expected_bytes: 704, .. })
        ));
        assert!(release(Some(b"980"), true, None, Layout::LP64_LITTLE, &[longer]).is_ok());
    }
}
