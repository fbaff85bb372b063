//! Which release's schema a site has, and whether it is one that is read here.

use crate::record::{Layout, printable};

/// The setting that says which release's schema the tables have.
pub const RELEASE_SETTING: &str = "MM_hosted_upgrade_level";

/// The first release whose structs are known to be these.
pub const FIRST: i64 = 706;

/// A greater number is no release: they rise by some hundred in ten years.
const LAST: i64 = 9999;

/// Why a site's release is not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReleaseError {
    /// Nothing tells it.
    #[error(
        "nothing tells the site's release: there is neither the setting {RELEASE_SETTING} in cdb.0d nor a citadel.control that can be read; name the directory that holds citadel.control and data/, or start a copy of the site once with its own server"
    )]
    Absent,
    /// The setting is no number.
    #[error(
        "the site's setting {RELEASE_SETTING} is \"{value}\", which is no number of a release, and a server would take it for 0; set it right on the old server (CONF PUTVAL) and export again"
    )]
    NoNumber {
        /// The setting, as a person reads it.
        value: String,
    },
    /// Too old, or no release that there could be.
    #[error(
        "the site is of release {release}, by {by}; sites from release {FIRST} to {LAST} are read: upgrade a copy of an older one with its server and export that{}", of_another(*layout)
    )]
    NotRead {
        /// The release.
        release: i64,
        /// What told it.
        by: String,
        /// The layout by which a struct was read that told it.
        layout: Option<Layout>,
    },
}

fn of_another(layout: Option<Layout>) -> String {
    layout
        .map(|layout| {
            format!("; or, if citadel.control was not written by a {layout} server, say with --layout by which")
        })
        .unwrap_or_default()
}

/// The release of a site, and what told it: the setting `MM_hosted_upgrade_level` (as stored in table 0d's value, without name and NULs), or
/// where that table has no settings at all, what stands in `citadel.control`. A release newer than 980 is read, too: what is longer than the
/// structs of 980 is carried as bytes. `layout` is that by which `citadel.control` was read.
pub fn release(
    level: Option<&[u8]>,
    has_settings: bool,
    control: Option<i64>,
    layout: Layout,
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
    if !(FIRST..=LAST).contains(&release) {
        let layout = level.is_none().then_some(layout);
        return Err(ReleaseError::NotRead { release, by: by.to_owned(), layout });
    }
    Ok((release, by))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(level: &str) -> Result<i64, ReleaseError> {
        release(Some(level.as_bytes()), true, None, Layout::LP64_LITTLE).map(|(release, _)| release)
    }

    #[test]
    fn the_setting_tells_the_release_and_where_there_are_none_the_control_file() {
        assert_eq!(of("902"), Ok(902));
        assert_eq!(of("980"), Ok(980));
        assert_eq!(of("1005"), Ok(1005));
        let by_control = release(None, false, Some(772), Layout::LP64_LITTLE);
        assert_eq!(by_control, Ok((772, "citadel.control")));
        assert_eq!(release(None, true, Some(772), Layout::LP64_LITTLE), Err(ReleaseError::Absent));
    }

    #[test]
    fn releases_that_nobody_knows_are_refused_by_name() {
        assert!(matches!(of("0"), Err(ReleaseError::NotRead { release: 0, layout: None, .. })));
        assert!(of("705").unwrap_err().to_string().contains("release 705"));
        assert!(matches!(of("10000"), Err(ReleaseError::NotRead { .. })));
        assert_eq!(of("706"), Ok(706));
        let misread = release(None, false, Some(0), Layout::LP64_LITTLE).unwrap_err().to_string();
        assert!(misread.contains("not written by a 64-bit little-endian server, say with --layout"), "{misread}");
    }

    #[test]
    fn a_level_that_is_absent_or_no_number_is_refused() {
        assert_eq!(release(None, false, None, Layout::LP64_LITTLE), Err(ReleaseError::Absent));
        assert!(matches!(of(""), Err(ReleaseError::NoNumber { .. })));
        assert!(matches!(of("new"), Err(ReleaseError::NoNumber { .. })));
    }
}
