//! One conversation with a peer.

use std::io::{Read, Write};
use std::sync::Arc;

use ctdl_dump::transfer::{ArchiveView, ServedArchive, ServedSite, SharedSite};
use ctdl_dump::wire::{Served, Server, WireError};

use crate::command::Context;
use crate::paced::Pace;
use crate::peer::PROGRAM;
use crate::screen::Screen;

/// The level of zstd at which answers are packed: above it a processor is slower than most links.
const LEVEL: i32 = 3;

/// What is given to peers.
pub enum Given {
    /// An archive.
    Archive(Arc<ArchiveView>),
    /// Snapshots of a site.
    Site(Arc<SharedSite>),
}

/// What all conversations share.
pub struct Hall {
    given: Given,
    server: Server,
    screen: Screen,
}

impl Hall {
    /// A hall in which this is given away.
    pub fn new(given: Given, context: &Context) -> Self {
        let server = Server { program: PROGRAM.to_owned(), token: None, level: Some(LEVEL) };
        Hall { given, server, screen: context.screen.clone() }
    }

    /// What is to be done about once a second.
    pub fn look_after(&self) {
        if let Given::Site(site) = &self.given {
            site.look_after();
        }
    }

    fn served(&self, pace: &Arc<Pace>) -> Box<dyn Served> {
        match &self.given {
            Given::Archive(view) => Box::new(ServedArchive::new(Arc::clone(view))),
            Given::Site(site) => {
                let pace = Arc::clone(pace);
                Box::new(ServedSite::new(site, Box::new(move || pace.moved())))
            }
        }
    }
}

/// Talks to one peer until it has gone.
pub fn talk(hall: &Hall, peer: &str, pace: &Arc<Pace>, input: impl Read, output: impl Write) -> Result<(), WireError> {
    let mut served = hall.served(pace);
    hall.screen.log(peer, "connected");
    let ended = hall.server.serve(&mut *served, input, output, &mut |event| hall.screen.log(peer, event));
    // What the peer held is given back before it is said to be gone.
    drop(served);
    match &ended {
        Ok(()) => hall.screen.log(peer, "gone"),
        Err(error) => hall.screen.log(peer, error),
    }
    ended
}
