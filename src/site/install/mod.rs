//! Staging and atomic replacement of a site.
