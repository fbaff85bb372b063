//! Sites of old releases, exported, checked, and imported where a server of release 980 has been: what became of each thing that they hold.

mod accounts;
mod detection;
mod keep_release;
mod left_behind;
mod messages;
mod missing_tables;
mod moved;
mod near;
mod rooms;
mod settings;
