//! TLS below the wire: version 1.3, and certificates that are known by their fingerprint, as ssh knows machines by their keys.

mod identity;
mod known;
mod pinning;

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::ops::DerefMut;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustls::crypto::{CryptoProvider, ring};
use rustls::{ConnectionCommon, SideData, StreamOwned};

pub use identity::Identity;
pub use known::KnownPeers;
pub use pinning::{Fingerprint, Pinned};

use crate::paced::{Pace, Paced};

/// How long saying goodbye may take.
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
}

/// The two halves of an encrypted connection. The handshake happens with the first byte.
pub fn halves<C, S>(connection: C, stream: TcpStream, pace: &Arc<Pace>) -> (Half<C, S>, Half<C, S>)
where
    C: DerefMut<Target = ConnectionCommon<S>>,
    S: SideData,
{
    let stream = StreamOwned::new(connection, Paced::new(stream, pace));
    let encrypted = Encrypted { stream, pace: Arc::clone(pace), goodbye: goodbye::<C, S> };
    let first = Arc::new(Mutex::new(encrypted));
    (Half(Arc::clone(&first)), Half(first))
}

fn goodbye<C, S>(stream: &mut StreamOwned<C, Paced<TcpStream>>)
where
    C: DerefMut<Target = ConnectionCommon<S>>,
    S: SideData,
{
    // A peer that is gone already needs none.
    stream.conn.send_close_notify();
    let _ = stream.conn.complete_io(&mut stream.sock);
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

impl<C, S> Read for Half<C, S>
where
    C: DerefMut<Target = ConnectionCommon<S>>,
    S: SideData,
{
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.encrypted().stream.read(buffer)
    }
}

impl<C, S> Write for Half<C, S>
where
    C: DerefMut<Target = ConnectionCommon<S>>,
    S: SideData,
{
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.encrypted().stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.encrypted().stream.flush()
    }
}

impl<C> Drop for Encrypted<C> {
    fn drop(&mut self) {
        self.pace.set_deadline(Some(Instant::now() + GOODBYE_WITHIN));
        (self.goodbye)(&mut self.stream);
    }
}
