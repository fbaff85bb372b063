//! The wire: a server and a client in conversation, whole, cut, and with peers that misbehave.

mod conversation;
mod cut;
mod faults;
mod faulty;
mod fields;
mod hostile;
mod pull;
mod push;
mod script;
mod turns;
mod whole;

use std::fs::File;
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ctdl_dump::archive::{Options, RandomReader, Writer};
use ctdl_dump::monitor::Silent;
use ctdl_dump::site::{ReadOptions, Site};
use ctdl_dump::transfer::{ArchiveView, ServedArchive, copy};
use ctdl_dump::wire::{Client, Login, Server};

use crate::support::unpack_site;

/// Nothing in these tests takes that long; what does, hangs.
const LIMIT: Duration = Duration::from_secs(20);

pub type Streams = Client<UnixStream, UnixStream>;

/// The archive of the site `small`.
pub fn small() -> Arc<ArchiveView> {
    static SMALL: OnceLock<Arc<ArchiveView>> = OnceLock::new();
    let make = || {
        let (site, scratch) = (unpack_site("small"), tempfile::tempdir().unwrap());
        let site = Site::open(site.path()).unwrap();
        let options = ReadOptions {
            scratch: scratch.path().to_owned(),
            logs: Vec::new(),
            without_fulltext: false,
            salvages: false,
        };
        let mut writer = Writer::new(Vec::new(), Options { level: 1, threads: 1 });
        copy(&mut site.source(options, &Silent), &mut writer, &Silent).unwrap();
        view(&writer.into_output())
    };
    Arc::clone(SMALL.get_or_init(make))
}

/// An archive as a snapshot.
pub fn view(archive: &[u8]) -> Arc<ArchiveView> {
    let mut file: File = tempfile::tempfile().unwrap();
    file.write_all(archive).unwrap();
    Arc::new(ArchiveView::new(RandomReader::open(file).unwrap()).unwrap())
}

pub fn server() -> Server {
    Server { program: "ctdl-dump test".to_owned(), token: None, level: Some(1) }
}

pub fn login() -> Login<'static> {
    Login { program: "ctdl-dump test", token: None, level: None }
}

/// A connection to a server that serves this archive; the server ends when the connection does.
pub fn connect(view: &Arc<ArchiveView>, server: &Server) -> UnixStream {
    let (ours, theirs) = UnixStream::pair().unwrap();
    for stream in [&ours, &theirs] {
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream.set_write_timeout(Some(LIMIT)).unwrap();
    }
    let (view, server) = (Arc::clone(view), server.clone());
    std::thread::spawn(move || {
        let output = theirs.try_clone().unwrap();
        // A client that goes away in the middle is what some tests are about.
        let _ = server.serve(&mut ServedArchive::new(view), theirs, output, &mut |_| (), &Silent);
    });
    ours
}

/// A client of a server that serves this archive.
pub fn client(view: &Arc<ArchiveView>, login: &Login) -> Streams {
    let stream = connect(view, &server());
    Client::connect(stream.try_clone().unwrap(), stream, login).unwrap()
}
