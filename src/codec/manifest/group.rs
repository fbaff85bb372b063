//! Groups of manifest segments (`format-spec/wire.md`, section 9): so that two places find out in a few kilobytes where they differ. An
//! archive doesn't hold them, they follow from its segments.

use crate::codec::Digest;

/// The most segments that a group has.
pub const MAX_GROUP_SEGMENTS: usize = 256;
/// A group ends with a segment whose digest has so many zeros as the lowest bits of its first byte: one in 32.
const BOUNDARY_MASK: u8 = 0x1f;

/// The digests of the identity parts of a row of segments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group(pub Vec<Digest>);

impl Group {
    /// The group's digest: blake3 of its segments' digests, one after the other.
    pub fn digest(&self) -> Digest {
        blake3::hash(self.0.as_flattened()).into()
    }

    /// Whether these segments make a group, be it the last one or not.
    pub fn is_one(&self) -> bool {
        let inner = self.0.split_last().map_or(&[][..], |(_, inner)| inner);
        (1..=MAX_GROUP_SEGMENTS).contains(&self.0.len()) && !inner.iter().any(ends_group)
    }
}

/// Cuts a row of segments into groups.
#[derive(Debug, Default)]
pub struct GroupCutter(Vec<Digest>);

impl GroupCutter {
    /// Takes the digest of the next segment, and gives the group that it completes.
    pub fn push(&mut self, segment: Digest) -> Option<Group> {
        self.0.push(segment);
        if ends_group(&segment) || self.0.len() >= MAX_GROUP_SEGMENTS { self.finish() } else { None }
    }

    /// Gives the last group, if a segment came since the one before it.
    pub fn finish(&mut self) -> Option<Group> {
        (!self.0.is_empty()).then(|| Group(std::mem::take(&mut self.0)))
    }
}

fn ends_group(segment: &Digest) -> bool {
    segment[0] & BOUNDARY_MASK == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(segments: &[Digest]) -> Vec<Group> {
        let mut cutter = GroupCutter::default();
        let mut groups: Vec<Group> = segments.iter().filter_map(|segment| cutter.push(*segment)).collect();
        groups.extend(cutter.finish());
        groups
    }

    #[test]
    fn a_segment_that_changes_changes_one_group_or_two() {
        let mut segments: Vec<Digest> = (0..6000u32).map(|number| blake3::hash(&number.to_le_bytes()).into()).collect();
        let before: std::collections::HashSet<Digest> = groups(&segments).iter().map(Group::digest).collect();
        segments[3000] = [1; 32];
        let after = groups(&segments);
        assert!(after.iter().all(Group::is_one));
        assert!((100..400).contains(&after.len()), "{} groups", after.len());
        assert!(after.iter().filter(|group| !before.contains(&group.digest())).count() <= 2);
    }

    #[test]
    fn a_row_without_boundaries_is_cut_at_the_limit() {
        assert_eq!(groups(&[[1; 32]; 600]).iter().map(|group| group.0.len()).collect::<Vec<_>>(), [256, 256, 88]);
    }
}
