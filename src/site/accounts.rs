//! Users and groups of this machine.

use nix::unistd::{Gid, Group, Uid, User};

/// The name of a user; empty if the machine knows none.
pub fn user_name(uid: u32) -> String {
    User::from_uid(Uid::from_raw(uid)).ok().flatten().map(|user| user.name).unwrap_or_default()
}

/// The name of a group; empty if the machine knows none.
pub fn group_name(gid: u32) -> String {
    Group::from_gid(Gid::from_raw(gid)).ok().flatten().map(|group| group.name).unwrap_or_default()
}

/// Number and main group of a user, by name.
pub fn user_by_name(name: &str) -> Option<(u32, u32)> {
    User::from_name(name).ok().flatten().map(|user| (user.uid.as_raw(), user.gid.as_raw()))
}

/// Number of a group, by name.
pub fn group_by_name(name: &str) -> Option<u32> {
    Group::from_name(name).ok().flatten().map(|group| group.gid.as_raw())
}
