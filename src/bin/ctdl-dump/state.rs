//! Where this machine keeps what must be known after the program has ended: what is to be undone on a running server.

use std::path::PathBuf;

/// `$CTDL_DUMP_STATE` if it is set; else `/var/lib/ctdl-dump` for root, and for others `ctdl-dump` in `$XDG_STATE_HOME` or `~/.local/state`.
/// All commands on a machine must look at the same place, or one doesn't undo what another has left.
pub fn directory() -> PathBuf {
    if let Some(named) = std::env::var_os("CTDL_DUMP_STATE").filter(|named| !named.is_empty()) {
        return PathBuf::from(named);
    }
    if rustix::process::geteuid().is_root() {
        return PathBuf::from("/var/lib/ctdl-dump");
    }
    let named = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = named("XDG_STATE_HOME").or_else(|| Some(named("HOME")?.join(".local/state")));
    // Somebody without a home has no place that is his alone but the one that lasts until the next start.
    state
        .unwrap_or_else(|| PathBuf::from(format!("/run/user/{}", rustix::process::geteuid().as_raw())))
        .join("ctdl-dump")
}
