//! What a server at work is in the middle of.
//!
//! Some of its changes take two stores, each a transaction of its own. To rename a user, release 980 deletes the record and stores it under its
//! new key; its upgrade of older sites does so with every user. A copy that falls between the two lacks a user who is there a moment later.

use std::collections::BTreeSet;

use crate::endpoint::Failure;
use crate::site::check::Findings;

/// A site in which every copy shows something else is copied so many times.
const MOST_COPIES: u32 = 5;

/// Copies again while a copy shows damage that the one before it has not shown. What two in a row have is the site's own, and comes along.
pub(super) fn copy_until_own<T>(
    mut copy: impl FnMut() -> Result<(T, Findings), Failure>,
) -> Result<(T, Findings), Failure> {
    let mut last = copy()?;
    for _ in 1..MOST_COPIES {
        if last.1.is_whole() {
            break;
        }
        let next = copy()?;
        let is_own = is_known(&next.1, &last.1);
        last = next;
        if is_own {
            break;
        }
    }
    Ok(last)
}

/// Whether the same things were damaged before. So much that not all of it has a name is nothing that passes.
fn is_known(findings: &Findings, before: &Findings) -> bool {
    let known: BTreeSet<_> = before.damage.iter().map(|finding| (&finding.subject, finding.table)).collect();
    findings.more > 0 || findings.damage.iter().all(|finding| known.contains(&(&finding.subject, finding.table)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::check::{Finding, Subject};

    /// What comes of a row of copies, in each of which these users are missing: how many were made, and who is missing in the one that is taken.
    fn copies(missing: &[&[i64]]) -> (usize, Vec<i64>) {
        let mut made = 0;
        let copy = || {
            let users: &[i64] = missing[made];
            made += 1;
            let damage = users.iter().map(|user| Finding {
                subject: Subject::UserNumber(*user),
                table: 1,
                text: format!("copy {made} lacks it"),
            });
            Ok((users.to_vec(), Findings { damage: damage.collect(), ..Findings::default() }))
        };
        let (taken, findings) = copy_until_own(copy).unwrap();
        assert_eq!(findings.damage.len(), taken.len(), "the findings are those of the copy");
        (made, taken)
    }

    #[test]
    fn what_two_copies_in_a_row_lack_is_the_sites_own() {
        assert_eq!(copies(&[&[]]), (1, vec![]));
        assert_eq!(copies(&[&[7], &[]]), (2, vec![]));
        assert_eq!(copies(&[&[7], &[7]]), (2, vec![7]));
        assert_eq!(copies(&[&[3, 7], &[3]]), (2, vec![3]));
        assert_eq!(copies(&[&[3], &[3, 7], &[3]]), (3, vec![3]));
    }

    #[test]
    fn a_site_of_which_every_copy_lacks_something_else_is_not_copied_for_ever() {
        assert_eq!(copies(&[&[1], &[2], &[3], &[4], &[5], &[]]), (5, vec![5]));
    }

    #[test]
    fn the_first_error_ends_it() {
        let mut made = 0;
        let failed = copy_until_own::<()>(|| {
            made += 1;
            Err(Failure::interrupted())
        });
        assert!(failed.is_err());
        assert_eq!(made, 1);
    }

    #[test]
    fn damage_beyond_what_is_named_is_copied_twice_and_no_more() {
        let mut made = 0;
        let copy = || {
            made += 1;
            Ok(((), Findings { more: 1, ..Findings::default() }))
        };
        copy_until_own(copy).unwrap();
        assert_eq!(made, 2);
    }
}
