//! A site whose tables are settled.

use std::path::Path;
use std::sync::Arc;

use super::newer;
use super::owners::Owners;
use super::parts::{Parts, data_owner};
use super::structs::{Structs, release_in_control_file};
use super::tables::Tables;
use super::{ReadOptions, ReadSiteError, SiteSource};
use crate::monitor::Monitor;
use crate::record::{Body, End, Root, SiteInfo};
use crate::site::arrangement::Arrangement;
use crate::site::inventory::{Inventory, What};

/// A site that can be read: settled, its tables open, its files listed.
pub struct Site(Arc<Opened>);

struct Opened {
    parts: Parts,
    tables: Tables,
    structs: Structs,
    data_owner: (u32, u32),
    info: SiteInfo,
    notice: Option<String>,
}

impl Site {
    /// Opens a site that is stopped and settled, to read it where it is.
    ///
    /// # Errors
    /// When it is no site, when a server runs or has not stopped cleanly, when a table can't be opened, when the release isn't one that is read.
    pub fn open(site: impl Into<Arrangement>) -> Result<Site, ReadSiteError> {
        Site::of(Parts::in_place(site)?)
    }

    /// Opens a site of which parts may have been copied.
    ///
    /// # Errors
    /// When a table can't be opened, or the release isn't one that is read.
    pub fn of(parts: Parts) -> Result<Site, ReadSiteError> {
        let mut tables = Tables::open(&parts.data, parts.layout)?;
        let data_owner = data_owner(parts.site.root())?;
        let has_settings = tables.has_settings()?;
        let control = if has_settings { None } else { release_in_control_file(&parts, tables.layout)? };
        let release_by = tables.find_release(has_settings, control, !parts.losses.is_empty())?;
        let mut owners = Owners::new(data_owner.0, data_owner.1);
        let structs = Structs::read(&parts, tables.dialect(), has_settings, &mut owners)?;
        let info = site_info(&tables, &structs, &parts, release_by, owners)?;
        let notice = match tables.is_release_guessed {
            true => Some(format!(
                "what tells the site's release is lost: it is taken for {}, the last one whose users are as long as those that are left",
                info.release
            )),
            false => newer::notice(&tables)?,
        };
        Ok(Site(Arc::new(Opened { parts, tables, structs, data_owner, info, notice })))
    }

    /// Begins a walk over all records.
    pub fn source<'s>(&'s self, options: ReadOptions, monitor: &'s dyn Monitor) -> SiteSource<'s> {
        SiteSource::new(self, options, monitor)
    }

    /// Begins a walk over what is outside of the tables, and over the logs of the site.
    pub(in crate::site) fn files<'s>(&'s self, monitor: &'s dyn Monitor) -> SiteSource<'s> {
        SiteSource::of_files(self, monitor)
    }

    /// What a person must know of a site whose release is newer than all that are known, or was guessed.
    pub fn notice(&self) -> Option<&str> {
        self.0.notice.as_deref()
    }

    /// What is known of the site from the beginning.
    pub fn info(&self) -> &SiteInfo {
        &self.0.info
    }

    /// Where the site is: the directory that has the tables in its `data/`.
    pub fn root(&self) -> &Path {
        self.0.parts.site.root()
    }

    /// Where the site has what.
    pub fn arrangement(&self) -> &Arrangement {
        &self.0.parts.site
    }

    /// What the site has besides its tables, and what of it is not carried.
    pub fn inventory(&self) -> &Inventory {
        &self.0.parts.inventory
    }

    /// Another handle to it, for a thread of its own.
    pub(super) fn shared(&self) -> Site {
        Site(Arc::clone(&self.0))
    }

    /// Whether all is still as it was when reading began.
    pub(crate) fn look_again(&self) -> Result<End, ReadSiteError> {
        self.parts().look_again()
    }

    pub(super) fn parts(&self) -> &Parts {
        &self.0.parts
    }

    pub(in crate::site) fn tables(&self) -> &Tables {
        &self.0.tables
    }

    pub(super) fn structs(&self) -> &Structs {
        &self.0.structs
    }

    pub(super) fn owners(&self) -> Owners {
        Owners::new(self.0.data_owner.0, self.0.data_owner.1)
    }

    /// The sum of the sizes of all files outside the tables, in bytes.
    pub(in crate::site) fn file_bytes(&self) -> u64 {
        let bytes = self.inventory().entries.iter().map(|entry| match entry.what {
            What::File { bytes } | What::Link { content: Some(bytes), .. } => bytes,
            _ => 0,
        });
        bytes.sum()
    }
}

fn site_info(
    tables: &Tables,
    structs: &Structs,
    parts: &Parts,
    release_by: String,
    mut owners: Owners,
) -> Result<SiteInfo, ReadSiteError> {
    let setting = |name: &str| {
        let of_struct = structs.settings.iter().find(|setting| setting.key.last_name() == Some(name.as_bytes()));
        match of_struct.map(|setting| &setting.body) {
            Some(Some(Body::Inline(value))) => Ok(Some(value.clone())),
            _ => tables.setting(name),
        }
    };
    let root = &parts.inventory.root;
    Ok(SiteInfo {
        tool: concat!("ctdl-dump ", env!("CARGO_PKG_VERSION")).into(),
        node: setting("c_nodename")?.unwrap_or_default(),
        fqdn: setting("c_fqdn")?.unwrap_or_default(),
        release: tables.dialect().release,
        release_by: Some(release_by),
        layout: tables.layout,
        layout_by: Some(tables.layout_by.clone()),
        without: Vec::new(),
        snapshot: parts.snapshot.clone(),
        root: Root { mode: (root.mode & 0o7777) as u16, owner: owners.user(root.uid), group: owners.group(root.gid) },
    })
}
