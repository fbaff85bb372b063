//! Whether the tables of a site are complete without recovery.
