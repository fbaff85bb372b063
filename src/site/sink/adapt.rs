//! What must be different on the new machine, and what a person must know of the site: one pass over each header.

use std::borrow::Cow;

use crate::record::{Body, Fields, Header, Kind, Layout, Owner, SiteInfo, Value, printable};
use crate::site::accounts;

/// Who owns what is the site's own on this machine.
#[derive(Clone, Debug)]
pub struct SiteOwner {
    /// The user and group; `None` when this process can't give files away and keeps them.
    ids: Option<(u32, u32)>,
}

impl SiteOwner {
    /// The user and group with these numbers. The process must be allowed to give files to them.
    pub fn ids_of(uid: u32, gid: u32) -> Self {
        SiteOwner { ids: Some((uid, gid)) }
    }

    /// Whoever runs this process, who can't give files away.
    pub fn of_process() -> Self {
        SiteOwner { ids: None }
    }

    /// The numbers to give files to.
    pub fn ids(&self) -> Option<(u32, u32)> {
        self.ids
    }
}

/// Changes headers where this machine needs it.
#[derive(Debug)]
pub(super) struct Adapter {
    owner: SiteOwner,
    target: Layout,
    is_same_layout: bool,
    without_fulltext: bool,
    notices: Vec<String>,
    kept_owners: u64,
    residues: u64,
}

/// Settings that make the new server run a program or speak to another machine.
const OUTWARD: [(&str, &str); 5] = [
    ("c_pager_program", "the server runs this program"),
    ("c_ldap_host", "the server asks this LDAP server"),
    ("c_journal_dest", "the server sends a copy of mail there"),
    ("c_smarthost", "the server sends its mail through this host"),
    ("c_funambol_host", "the server notifies this host"),
];

impl Adapter {
    pub fn new(owner: SiteOwner, target: Layout) -> Self {
        Adapter {
            owner,
            target,
            is_same_layout: true,
            without_fulltext: false,
            notices: Vec::new(),
            kept_owners: 0,
            residues: 0,
        }
    }

    /// Whether the records come from a site of the target's layout, so that they become the very bytes that they were.
    pub fn is_same_layout(&self) -> bool {
        self.is_same_layout
    }

    pub fn begin(&mut self, site: &SiteInfo) {
        self.is_same_layout = site.layout == self.target;
        if !self.is_same_layout {
            self.notices.push(format!(
                "the site comes from a {} server and was written for a {} one",
                site.layout, self.target
            ));
        }
        self.without_fulltext = site.without.iter().any(|what| what == "fulltext");
        if self.without_fulltext {
            self.notices.push(
                "the full text index is not in the archive: the server makes it anew, 26 messages a minute".into(),
            );
        }
    }

    /// The header as it is to be written; owned if it is another than the one that came.
    pub fn adapt<'h>(&mut self, header: &'h Header) -> Cow<'h, Header> {
        if !self.is_same_layout && header.residue.is_some() {
            self.residues += 1;
        }
        if !matches!(header.kind, Kind::Config | Kind::Control | Kind::File | Kind::Log) {
            return Cow::Borrowed(header);
        }
        let mut adapted = header.clone();
        match header.kind {
            Kind::Config => self.setting(&mut adapted),
            _ => self.owners(&mut adapted.fields),
        }
        if header.kind == Kind::Control && self.without_fulltext && header.fields.get("fulltext").is_some() {
            adapted.fields.set_int("fulltext", 0);
        }
        // Logs and structs are files, too, and have no type.
        let is_file = header.kind != Kind::File || header.fields.bytes("type") == Some(b"file");
        if is_file {
            self.drop_set_id(&mut adapted);
        }
        if adapted == *header { Cow::Borrowed(header) } else { Cow::Owned(adapted) }
    }

    /// The uid and gid that an owner of another machine has here.
    pub fn ids_for(&self, owner: Option<&Owner>, group: Option<&Owner>) -> Option<(u32, u32)> {
        let (uid, gid) = self.owner.ids()?;
        Some((owner.map_or(uid, user_here), group.map_or(gid, group_here)))
    }

    pub fn into_notices(mut self) -> Vec<String> {
        if self.kept_owners > 0 {
            self.notices.push(format!(
                "{} files belonged to others than the site's user; only root can give files away, so they are yours now",
                self.kept_owners
            ));
        }
        if self.residues > 0 {
            self.notices.push(format!(
                "{} records had bytes between or behind their fields that no server looks at (leftovers of the old machine's memory); they were left out",
                self.residues
            ));
        }
        self.notices.push(
            "this is a complete duplicate: it polls the same mailboxes and sends the same queue, so never run both servers"
                .into(),
        );
        self.notices
    }

    fn setting(&mut self, header: &mut Header) {
        let Some(Body::Inline(value)) = &mut header.body else { return };
        let name = header.key.last_name().unwrap_or_default();
        if name == b"MMfulltext" && self.without_fulltext && value != b"0" {
            *value = b"0".to_vec();
            header.residue = None;
        }
        if let Some((name, what)) = OUTWARD.iter().find(|(outward, _)| outward.as_bytes() == name)
            && !value.is_empty()
            && value != b"(null)"
        {
            self.notices.push(format!("{name} is \"{}\": {what}", printable(value)));
        }
    }

    /// Owners that this machine knows by another number get it; without the right to give files away they are left out.
    fn owners(&mut self, fields: &mut Fields) {
        let Some((site_uid, site_gid)) = self.owner.ids() else {
            let had = fields.get("owner").is_some() || fields.get("group").is_some();
            self.kept_owners += u64::from(had);
            fields.remove("owner");
            fields.remove("group");
            return;
        };
        if let Some(Value::Owner(owner)) = fields.get("owner").cloned() {
            let number = user_here(&owner);
            set_owner(fields, "owner", number, site_uid, accounts::user_name(number));
        }
        if let Some(Value::Owner(group)) = fields.get("group").cloned() {
            let number = group_here(&group);
            set_owner(fields, "group", number, site_gid, accounts::group_name(number));
        }
    }

    /// A link whose target isn't here, or is something else, becomes a file of its own, so that no key is lost.
    pub fn link_to_file(&mut self, header: &mut Header) {
        let target = header.fields.bytes("target").unwrap_or_default();
        let why = match target.first() {
            Some(b'/') => "which is not the same file here",
            _ => "a relative path, which can't be followed before the site is in its place",
        };
        self.notices.push(format!(
            "{} was a link to {}, {why}: its content was written in its place",
            header.key,
            printable(target)
        ));
        header.fields.remove("target");
        header.fields.set_string("type", "file");
        header.fields.set_int("mode", 0o600);
        // A link's owner says nothing of who may read what it leads to; the server must be able to read its key.
        header.fields.remove("owner");
        header.fields.remove("group");
    }

    /// A file of a site is never a program: the bits that lend its owner's rights are not taken over from an archive.
    fn drop_set_id(&mut self, header: &mut Header) {
        if let Some(mode) = header.fields.int("mode")
            && mode & 0o6000 != 0
        {
            header.fields.set_int("mode", mode & !0o6000);
            self.notices.push(format!("{}: its set-user-id and set-group-id bits were left out", header.key));
        }
    }
}

/// The number that a user of another machine has here: that of his name, if there is such a user.
fn user_here(user: &Owner) -> u32 {
    accounts::user_by_name(&user.name).map_or(user.number, |(uid, _)| uid)
}

/// The same of a group.
fn group_here(group: &Owner) -> u32 {
    accounts::group_by_name(&group.name).unwrap_or(group.number)
}

fn set_owner(fields: &mut Fields, field: &'static str, number: u32, site: u32, name: String) {
    if number == site {
        fields.remove(field);
    } else {
        fields.set(field, Value::Owner(Owner { number, name }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_of_the_root_is_found_by_his_name_and_else_by_his_number() {
        let adapter = Adapter::new(SiteOwner::ids_of(7, 8), Layout::LP64_LITTLE);
        let owner = |name: &str| Owner { number: 54_321, name: name.into() };
        let [known, unknown] = ["root", "nobody-of-this-machine"].map(owner);
        assert_eq!(adapter.ids_for(None, None), Some((7, 8)));
        assert_eq!(adapter.ids_for(Some(&known), Some(&unknown)), Some((0, 54_321)));
        assert_eq!(adapter.ids_for(Some(&unknown), Some(&known)), Some((54_321, 0)));
    }
}
