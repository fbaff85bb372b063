//! What is known of a site as a whole: at the beginning of a copy (`site.cbor`) and at its end (the final manifest).

use super::{Layout, Owner};

/// How the snapshot was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The way, in words: "stopped and settled", "never opened" ...
    pub method: String,
    /// What proves that the tables are complete: the end of the log in words.
    pub proof: String,
    /// When, in seconds since 1970.
    pub taken: i64,
}

/// Mode and owner of the site's root directory, for an import that has to make it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// Permission bits.
    pub mode: u16,
    /// The owner; `None` for the site's own user.
    pub owner: Option<Owner>,
    /// The group; `None` for the site's own group.
    pub group: Option<Owner>,
}

/// What is known when a copy begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteInfo {
    /// Name and version of the program that read the site.
    pub tool: String,
    /// The site's node name (`c_nodename`), or empty.
    pub node: Vec<u8>,
    /// The site's full domain name (`c_fqdn`), or empty.
    pub fqdn: Vec<u8>,
    /// The release whose schema the tables have.
    pub release: i64,
    /// What told the release, in words.
    pub release_by: Option<String>,
    /// The layout of the machine the site was on.
    pub layout: Layout,
    /// What told the layout, in words.
    pub layout_by: Option<String>,
    /// What the user asked to leave out, in words: "fulltext".
    pub without: Vec<String>,
    /// How the snapshot was taken.
    pub snapshot: Snapshot,
    /// The root directory.
    pub root: Root,
}

/// What is known only when a copy ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct End {
    /// What the second look at the source found, in words.
    pub state_after: String,
}
