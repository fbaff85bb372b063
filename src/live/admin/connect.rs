//! Connecting to a socket by its path, whatever its length, with a look at who listens.

use std::fs;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout, socket_peercred};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::live::LiveError;

/// Connects within a time, which holds for every later write too. The file must belong to root or `owner`, and so must whoever listens:
/// the directory of sockets may be one that others can write to.
pub(super) fn connect(path: &Path, owner: u32, within: Duration) -> Result<UnixStream, LiveError> {
    let no_server = |error: io::Error| LiveError::NoServer { socket: path.to_owned(), source: error };
    let check = |what: &'static str, found: u32| {
        if found == owner || found == 0 {
            return Ok(());
        }
        Err(LiveError::Stranger { path: path.to_owned(), what, found, owner })
    };
    let found = fs::metadata(path).map_err(no_server)?;
    if !found.file_type().is_socket() {
        return Err(no_server(io::Error::other("it is no socket")));
    }
    check("the socket", found.uid())?;

    // Socket addresses have at most 107 bytes; longer paths are reached by way of their open directory.
    let directory;
    let address = match SocketAddrUnix::new(path) {
        Ok(address) => address,
        Err(_) => {
            let parent = path.parent().unwrap_or(Path::new("/"));
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            directory = rustix::fs::open(parent, flags, Mode::empty()).map_err(|error| no_server(error.into()))?;
            let short = format!("/proc/self/fd/{}", directory.as_raw_fd());
            SocketAddrUnix::new(Path::new(&short).join(path.file_name().unwrap_or_default()))
                .map_err(|error| no_server(error.into()))?
        }
    };
    let flags = SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
        .map_err(|error| no_server(error.into()))?;
    // A connection that the server doesn't accept, because too many wait already, counts as a write.
    set_socket_timeout(&socket, Timeout::Send, Some(within)).map_err(|error| no_server(error.into()))?;
    loop {
        match rustix::net::connect(&socket, &address) {
            Ok(()) => break,
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                let (command, seconds) = (super::CONNECTING.into(), within.as_secs());
                return Err(LiveError::Silent { socket: path.to_owned(), command, seconds });
            }
            Err(error) => return Err(no_server(error.into())),
        }
    }
    let peer = socket_peercred(&socket).map_err(|error| no_server(error.into()))?;
    check("the process that listens", peer.uid.as_raw())?;
    Ok(UnixStream::from(socket))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn nobody_is_talked_to_who_is_neither_root_nor_the_site_s_owner() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let _listener = UnixListener::bind(&path).unwrap();
        let us = rustix::process::geteuid();
        if us.is_root() {
            std::os::unix::fs::chown(&path, Some(12_345), None).unwrap();
        }
        let error = connect(&path, us.as_raw() + 1, Duration::from_secs(1)).unwrap_err();
        assert!(matches!(error, LiveError::Stranger { .. }), "{error}");
    }
}
