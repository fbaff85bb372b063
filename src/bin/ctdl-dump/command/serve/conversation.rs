//! One conversation with a peer.

use std::fmt::Display;
use std::io::{Read, Write};
use std::sync::Arc;

use ctdl_dump::transfer::{ArchiveView, ServedArchive, ServedSite, SharedSite};
use ctdl_dump::wire::{Event, Served, Server, WireError};

use super::reception::{Receiving, Target};
use crate::command::Context;
use crate::exit_code::ExitCode;
use crate::paced::Pace;
use crate::peer::PROGRAM;

/// The level of zstd at which answers are packed: above it a processor is slower than most links.
const LEVEL: i32 = 3;

/// What is given to peers.
pub enum Given {
    /// An archive.
    Archive(Arc<ArchiveView>),
    /// Snapshots of a site.
    Site(Arc<SharedSite>),
    /// Nothing: they give a site themselves.
    Nothing(Target),
}

/// What all conversations share.
pub struct Hall {
    given: Given,
    server: Server,
    context: Context,
}

impl Hall {
    /// A hall in which this is given away.
    pub fn new(given: Given, token: Option<String>, context: &Context) -> Self {
        let server = Server { program: PROGRAM.to_owned(), token, level: Some(LEVEL) };
        let Context { interrupt, screen, .. } = context;
        let context = Context { interrupt: Arc::clone(interrupt), screen: screen.clone(), undone: Vec::new() };
        Hall { given, server, context }
    }

    /// What became of the last site that a peer gave.
    pub fn outcome(&self) -> Option<ExitCode> {
        match &self.given {
            Given::Nothing(target) => target.outcome(),
            _ => None,
        }
    }

    fn log(&self, peer: &str, text: impl Display) {
        self.context.screen.log(peer, text);
    }

    /// What is to be done about once a second.
    pub fn look_after(&self) {
        if let Given::Site(site) = &self.given {
            site.look_after();
        }
    }

    fn served(&self, peer: &str, pace: &Arc<Pace>) -> Box<dyn Served + '_> {
        match &self.given {
            Given::Archive(view) => Box::new(ServedArchive::new(Arc::clone(view))),
            Given::Site(site) => {
                let peer: Arc<Pace> = Arc::clone(pace);
                Box::new(ServedSite::new(site, peer))
            }
            Given::Nothing(target) => {
                let (screen, peer) = (self.context.screen.clone(), peer.to_owned());
                Box::new(Receiving::new(target, &self.context, move |text| screen.log(&peer, text)))
            }
        }
    }
}

/// A peer that comes.
pub struct Visit<'v> {
    /// How it is called in the log.
    pub name: &'v str,
    /// Called when it has given a token, with whether that was the right one; where none is wanted, when it has given a command, which is as good.
    pub on_entry: Box<dyn FnMut(bool) + 'v>,
}

/// Talks to one peer until it has gone.
pub fn talk(
    hall: &Hall,
    visit: &mut Visit,
    pace: &Arc<Pace>,
    input: impl Read,
    output: impl Write,
) -> Result<(), WireError> {
    let Visit { name: peer, on_entry } = visit;
    let mut served = hall.served(peer, pace);
    hall.log(peer, "connected");
    let mut journal = |event: &Event| {
        match event {
            Event::Begun => return on_entry(true),
            Event::LoggedIn => on_entry(true),
            Event::WrongToken => on_entry(false),
            _ => {}
        }
        hall.log(peer, event);
    };
    let ended = hall.server.serve(&mut *served, input, output, &mut journal, &hall.context.screen);
    // What the peer held is given back before it is said to be gone.
    drop(served);
    match &ended {
        Ok(()) => hall.log(peer, "gone"),
        Err(error) => hall.log(peer, error),
    }
    ended
}
