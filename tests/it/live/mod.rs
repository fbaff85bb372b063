//! Control of a running server: leases, their guardian, and what is undone when one of them is killed. The servers here are stand-ins.

mod conversation;
mod freeze;
mod kills;
mod left;
pub mod place;
mod single_user;
pub mod stand_in;
mod words;
mod worker;
