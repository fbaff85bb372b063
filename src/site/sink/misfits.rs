//! Records that a server of the target's layout can't have, all of them in one error: whoever moves a site wants to know what is in the way, not
//! only what is first.

use std::fmt;

use crate::record::Layout;
use crate::site::layout::LayoutError;

/// So many are named; of the others only their number is told.
const MOST_NAMED: usize = 100;

/// The records of a site that don't fit.
#[derive(Debug)]
pub struct Misfits {
    target: Layout,
    named: Vec<LayoutError>,
    count: u64,
}

impl Misfits {
    pub(super) fn new(target: Layout) -> Self {
        Misfits { target, named: Vec::new(), count: 0 }
    }

    pub(super) fn add(&mut self, misfit: LayoutError) {
        self.count += 1;
        if self.named.len() < MOST_NAMED {
            self.named.push(misfit);
        }
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The first of them, in the order of the archive.
    pub fn named(&self) -> &[LayoutError] {
        &self.named
    }
}

impl fmt::Display for Misfits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.count == 1 { "1 record is" } else { &format!("{} records are", self.count) };
        write!(f, "{what} not possible on a {} server, so nothing of the target was changed:", self.target)?;
        self.named.iter().try_for_each(|misfit| write!(f, "\n  {misfit}"))?;
        match self.count - self.named.len() as u64 {
            0 => Ok(()),
            more => write!(f, "\n  and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Kind;
    use crate::site::layout::Problem;

    #[test]
    fn a_long_list_ends_with_the_number_of_those_that_it_leaves_out() {
        let mut misfits = Misfits::new(Layout::LP64_LITTLE);
        for number in 0..MOST_NAMED as i64 + 7 {
            let problem = Problem::NotPortable { target: Layout::LP64_LITTLE };
            misfits.add(LayoutError { kind: Kind::Visit, key: number.to_string(), problem });
        }
        let text = misfits.to_string();
        assert!(text.starts_with("107 records are not possible on a 64-bit little-endian server"), "{text}");
        assert!(text.contains("\n  visit record 99: "), "{text}");
        assert!(!text.contains("visit record 100:"), "{text}");
        assert!(text.ends_with("\n  and 7 more"), "{text}");
    }
}
