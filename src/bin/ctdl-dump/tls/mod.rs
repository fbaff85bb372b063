//! TLS below the wire: version 1.3, and certificates that are known by their fingerprint, as ssh knows machines by their keys.

mod identity;
mod known;
mod pinning;

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::ops::DerefMut;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustls::crypto::{CryptoProvider, ring};
use rustls::{ConnectionCommon, SideData, StreamOwned};

pub use identity::Identity;
pub use known::KnownPeers;
pub use pinning::{Fingerprint, Pinned};

use crate::paced::{Pace, Paced};

/// How long saying goodbye may take, and the peer to hear it.
const GOODBYE_WITHIN: Duration = Duration::from_secs(2);

/// All ciphers and random numbers come from here.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Bytes that nobody can guess.
pub fn random<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut bytes = [0; N];
    ring::default_provider()
        .secure_random
        .fill(&mut bytes)
        .map_err(|_| anyhow::anyhow!("there is no random number"))?;
    Ok(bytes)
}

/// One of the two halves of a connection. The last one that goes says goodbye, so that an end is told from a cut.
pub struct Half<C, S>(Arc<Mutex<Encrypted<C>>>)
where
    C: DerefMut<Target = ConnectionCommon<S>>,
    S: SideData;

struct Encrypted<C> {
    stream: StreamOwned<C, Paced<TcpStream>>,
    pace: Arc<Pace>,
    goodbye: fn(&mut StreamOwned<C, Paced<TcpStream>>),
    /// Whether the peer takes nothing any more. It may have said why.
    is_refused: bool,
    ending: Ending,
}

/// How this side ends a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// At once.
    Leaves,
    /// Not before the peer has had time to hear what was said last. A socket that is closed while there is something to read makes the peer's system forget what it
    /// has not read yet.
    Lingers,
}

/// The two halves of an encrypted connection. The handshake happens with the first byte.
pub fn halves<C, S>(connection: C, stream: TcpStream, pace: &Arc<Pace>, ending: Ending) -> (Half<C, S>, Half<C, S>)
where
    C: DerefMut<Target = ConnectionCommon<S>>,
    S: SideData,
{
    let stream = StreamOwned::new(connection, Paced::new(stream, pace));
    let goodbye = goodbye::<C, S>;
    let encrypted = Encrypted { stream, pace: Arc::clone(pace), goodbye, is_refused: false, ending };
    let first = Arc::new(Mutex::new(encrypted));
    (Half(Arc::clone(&first)), Half(first))
}

fn goodbye<C, S>(stream: &mut StreamOwned<C, Paced<TcpStream>>)
where
    C: DerefMut<Target = ConnectionCommon<S>>,
    S: SideData,
{
    stream.conn.send_close_notify();
    // Only what is to be said, with no more of a handshake that has failed: both ends would wait for each other's next words.
    while stream.conn.wants_write() {
        match stream.conn.write_tls(&mut stream.sock) {
            Ok(count) if count > 0 => {}
            // A peer that is gone already needs no goodbye.
            _ => return,
        }
    }
    let _ = stream.sock.flush();
}

impl<C, S> Half<C, S>
where
    C: DerefMut<Target = ConnectionCommon<S>>,
    S: SideData,
{
    fn encrypted(&self) -> MutexGuard<'_, Encrypted<C>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads without writing what is still to be written first.
fn hear<C, S>(stream: &mut StreamOwned<C, Paced<TcpStream>>, buffer: &mut [u8]) -> io::Result<usize>
where
    C: DerefMut<Target = ConnectionCommon<S>>,
    S: SideData,
{
    loop {
        match stream.conn.reader().read(buffer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            heard => return heard,
        }
        // The end of the stream is found by the reader, too: it tells an end from a cut.
        stream.conn.read_tls(&mut stream.sock)?;
        stream.conn.process_new_packets().map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
    }
}

fn is_refusal(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset)
}

impl<C, S> Read for Half<C, S>
where
    C: DerefMut<Target = ConnectionCommon<S>>,
    S: SideData,
{
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut encrypted = self.encrypted();
        if !encrypted.is_refused {
            match encrypted.stream.read(buffer) {
                Err(error) if is_refusal(&error) && encrypted.stream.conn.wants_write() => encrypted.is_refused = true,
                read => return read,
            }
        }
        hear(&mut encrypted.stream, buffer)
    }
}

impl<C, S> Write for Half<C, S>
where
    C: DerefMut<Target = ConnectionCommon<S>>,
    S: SideData,
{
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut encrypted = self.encrypted();
        let written = encrypted.stream.write(bytes);
        encrypted.is_refused |= written.as_ref().is_err_and(is_refusal);
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut encrypted = self.encrypted();
        let flushed = encrypted.stream.flush();
        encrypted.is_refused |= flushed.as_ref().is_err_and(is_refusal);
        flushed
    }
}

impl<C> Drop for Encrypted<C> {
    fn drop(&mut self) {
        self.pace.set_deadline(Some(Instant::now() + GOODBYE_WITHIN));
        (self.goodbye)(&mut self.stream);
        if self.ending == Ending::Lingers && self.stream.sock.get().shutdown(Shutdown::Write).is_ok() {
            let mut unheard = [0; 16_384];
            while self.stream.sock.read(&mut unheard).is_ok_and(|count| count > 0) {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use rustls::ClientConnection;

    use super::*;
    use crate::interrupt::Interrupt;
    use crate::paced::MOST_SILENCE;

    #[test]
    fn the_end_of_a_handshake_that_failed_waits_for_no_peer() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (_silent, _) = listener.accept().unwrap();
        let config = Pinned::new(None).config().unwrap();
        let connection = ClientConnection::new(config, "localhost".try_into().unwrap()).unwrap();
        let pace = Pace::new(&Arc::new(Interrupt::listen().unwrap()), MOST_SILENCE, MOST_SILENCE);
        let both = halves(connection, stream, &pace, Ending::Leaves);
        let begun = Instant::now();
        drop(both);
        assert!(begun.elapsed() < GOODBYE_WITHIN, "{:?}", begun.elapsed());
    }
}
