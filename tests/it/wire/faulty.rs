//! Connections on which things go wrong by a seed: short reads and writes, what is held back, cut, changed, lost, doubled, or of a huge length.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::ops::Range;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

/// How long the two sides of a line that changes what goes over it wait for each other.
const SHORT: Duration = Duration::from_millis(40);
const HUGE: [&str; 4] = ["18446744073709551616", "9223372036854775807", "65537", "16777217"];

/// Numbers that are the same for the same seed.
#[derive(Clone)]
pub struct Dice(pub u64);

impl Dice {
    /// A number below this one.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end.max(1)
    }
}

/// What happens to the bytes of one direction from a certain one on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing but that the line may be cut.
    Nothing,
    Flip,
    Lose,
    Insert,
    Again,
    /// The next number of a line becomes a huge one.
    Huge,
}

/// All that can happen to a line.
pub const FAULTS: &[Fault] = &[Fault::Nothing, Fault::Flip, Fault::Lose, Fault::Insert, Fault::Again, Fault::Huge];
/// Lines that may be cut, and change nothing.
pub const CUTS: &[Fault] = &[Fault::Nothing];

/// Changes bytes once.
struct Changing {
    fault: Fault,
    at: u64,
    done: u64,
    dice: Dice,
}

impl Changing {
    fn change(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        let count = bytes.len() as u64;
        if self.fault == Fault::Nothing || self.at >= self.done + count {
            self.done += count;
            return bytes;
        }
        let at = self.at.saturating_sub(self.done) as usize;
        let some = at..(at + 1 + self.dice.below(9) as usize).min(bytes.len());
        self.done += count;
        match self.fault {
            Fault::Flip => bytes[at] ^= 1 << self.dice.below(8),
            Fault::Lose => drop(bytes.drain(some)),
            Fault::Again => {
                let again = bytes[some.clone()].to_vec();
                bytes.splice(some.start..some.start, again);
            }
            Fault::Insert => {
                let anew: Vec<u8> = some.map(|_| self.dice.below(256) as u8).collect();
                bytes.splice(at..at, anew);
            }
            Fault::Nothing | Fault::Huge => {
                let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
                let start = (at.max(1)..bytes.len()).find(|at| is_digit(*at) && b" |".contains(&bytes[at - 1]));
                // Where there is none, the next bytes are looked through.
                let Some(start) = start else { return bytes };
                let end = (start..=bytes.len()).find(|at| !is_digit(*at)).unwrap_or(bytes.len());
                bytes.splice(start..end, HUGE[self.dice.below(4) as usize].bytes());
            }
        }
        self.fault = Fault::Nothing;
        bytes
    }
}

/// What was said and is held back: at the latest until whoever has said it listens.
type Held = Rc<RefCell<Vec<u8>>>;

struct Hears {
    stream: UnixStream,
    held: Held,
    came: VecDeque<u8>,
    most: u64,
    changing: Changing,
    dice: Dice,
}

impl Read for Hears {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.dice.below(8) == 0 {
            return Err(ErrorKind::Interrupted.into());
        }
        self.stream.write_all(&std::mem::take(&mut *self.held.borrow_mut()))?;
        if self.came.is_empty() {
            let mut some = vec![0; 4096];
            let count = self.stream.read(&mut some)?;
            self.came.extend(self.changing.change(&some[..count]));
        }
        let count = buffer.len().min(1 + self.dice.below(self.most) as usize);
        self.came.read(&mut buffer[..count])
    }
}

struct Says {
    stream: UnixStream,
    held: Held,
    most: u64,
    /// Of 8 pieces so many are held back.
    holds: u64,
    /// Cut after so many bytes.
    left: u64,
    changing: Changing,
    dice: Dice,
}

impl Write for Says {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.dice.below(8) == 0 {
            return Err(ErrorKind::Interrupted.into());
        }
        if self.left == 0 {
            // As a broken line is: nothing is said over it any more, and nothing heard. The server may have been faster.
            let _ = self.stream.shutdown(Shutdown::Both);
            return Err(ErrorKind::BrokenPipe.into());
        }
        let now = bytes.len().min(1 + self.dice.below(self.most) as usize);
        self.left -= self.left.min(now as u64);
        let changed = self.changing.change(&bytes[..now]);
        let mut held = self.held.borrow_mut();
        held.extend(changed);
        if self.dice.below(8) >= self.holds {
            self.stream.write_all(&std::mem::take(&mut *held))?;
        }
        Ok(now)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// So many seeds from the first one on, which is 0, or what `CTDL_DUMP_TEST_SEED` says: other ones have other faults.
pub fn seeds(count: u64) -> Range<u64> {
    let first = std::env::var("CTDL_DUMP_TEST_SEED").map_or(0, |first| first.parse().expect("a number"));
    first..first + count
}

/// The two halves of a connection, with one of these faults at most: in so many bytes that are said over it, or that are heard.
pub fn halves(
    mut dice: Dice,
    stream: UnixStream,
    (said_bytes, heard_bytes): (u64, u64),
    faults: &[Fault],
) -> (Box<dyn Read>, Box<dyn Write>) {
    let fault = faults[dice.below(faults.len() as u64) as usize];
    if fault != Fault::Nothing {
        stream.set_read_timeout(Some(SHORT)).unwrap();
    }
    let is_said = dice.below(3) > 0 && said_bytes > heard_bytes || dice.below(3) == 0;
    let left = if fault == Fault::Nothing { dice.below(said_bytes * 2) } else { u64::MAX };
    let mut changing = |is_here: bool, length: u64| Changing {
        fault: if is_here { fault } else { Fault::Nothing },
        at: dice.below(length),
        done: 0,
        dice: dice.clone(),
    };
    let (said, heard) = (changing(is_said, said_bytes), changing(!is_said, heard_bytes));
    let held = Held::default();
    let most = [3, 50, 70_000][dice.below(3) as usize];
    let hears = Hears {
        stream: stream.try_clone().unwrap(),
        held: Rc::clone(&held),
        came: VecDeque::new(),
        most,
        changing: heard,
        dice: Dice(dice.below(u64::MAX)),
    };
    let holds = dice.below(9);
    let dice = Dice(dice.below(u64::MAX));
    (Box::new(hears), Box::new(Says { stream, held, most, holds, left, changing: said, dice }))
}
