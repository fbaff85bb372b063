//! A Citadel site on disk: its tables, its files, whether they are settled, and how a new one is put in place.

pub mod accounts;
mod advice;
pub mod arrangement;
pub mod btree;
mod catalogue;
pub mod check;
mod claim;
pub mod install;
pub mod inventory;
pub mod layout;
pub mod recovery;
mod regular;
pub mod salvage;
pub mod settled;
mod sink;
pub mod snapshot;
pub mod sort;
mod source;

pub use arrangement::Arrangement;
pub use catalogue::{Block, Catalogue, CatalogueError, CatalogueOptions, CatalogueReader, forget_digests};
pub use sink::{Expected, Misfits, SiteOwner, SiteSink, WriteSiteError, layout_at};
pub use source::{
    OwnSetting, Parts, ReadOptions, ReadSiteError, Site, SiteSource, Watch, data_directory, freshness, snapshot_now,
};
