//! One conversation with a peer.

use std::io::{Read, Write};
use std::sync::Arc;

use ctdl_dump::transfer::{ArchiveView, ServedArchive};
use ctdl_dump::wire::{Server, WireError};

use crate::command::Context;
use crate::peer::PROGRAM;
use crate::screen::Screen;

/// The level of zstd at which answers are packed: above it a processor is slower than most links.
const LEVEL: i32 = 3;

/// What all conversations share.
pub struct Hall {
    view: Arc<ArchiveView>,
    server: Server,
    screen: Screen,
}

impl Hall {
    /// A hall in which this is given away.
    pub fn new(view: Arc<ArchiveView>, context: &Context) -> Self {
        let server = Server { program: PROGRAM.to_owned(), token: None, level: Some(LEVEL) };
        Hall { view, server, screen: context.screen.clone() }
    }
}

/// Talks to one peer until it has gone.
pub fn talk(hall: &Hall, peer: &str, input: impl Read, output: impl Write) -> Result<(), WireError> {
    let mut served = ServedArchive::new(Arc::clone(&hall.view));
    hall.screen.log(peer, "connected");
    let ended = hall.server.serve(&mut served, input, output, &mut |event| hall.screen.log(peer, event));
    match &ended {
        Ok(()) => hall.screen.log(peer, "gone"),
        Err(error) => hall.screen.log(peer, error),
    }
    ended
}
