//! Owners and groups as records have them: nothing for the site's own, number and name for others.

use std::collections::HashMap;

use crate::record::{Fields, Owner, Value};

/// Knows whose the site is, and remembers the names of others.
#[derive(Debug)]
pub(super) struct Owners {
    site: (u32, u32),
    users: HashMap<u32, String>,
    groups: HashMap<u32, String>,
}

impl Owners {
    /// The site's own user and group are those of its data directory.
    pub fn new(uid: u32, gid: u32) -> Self {
        Owners { site: (uid, gid), users: HashMap::new(), groups: HashMap::new() }
    }

    /// The owner as a record has it: `None` for the site's own user.
    pub fn user(&mut self, uid: u32) -> Option<Owner> {
        (uid != self.site.0).then(|| {
            let name = self.users.entry(uid).or_insert_with(|| crate::site::accounts::user_name(uid));
            Owner { number: uid, name: name.clone() }
        })
    }

    /// The group as a record has it: `None` for the site's own group.
    pub fn group(&mut self, gid: u32) -> Option<Owner> {
        (gid != self.site.1).then(|| {
            let name = self.groups.entry(gid).or_insert_with(|| crate::site::accounts::group_name(gid));
            Owner { number: gid, name: name.clone() }
        })
    }

    /// Sets the fields `owner` and `group` where they aren't the site's own.
    pub fn set_fields(&mut self, uid: u32, gid: u32, fields: &mut Fields) {
        if let Some(owner) = self.user(uid) {
            fields.set("owner", Value::Owner(owner));
        }
        if let Some(group) = self.group(gid) {
            fields.set("group", Value::Owner(group));
        }
    }
}
