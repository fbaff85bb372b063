//! Addresses that gave wrong tokens.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// So many wrong tokens have no consequence; each further one doubles the time for which the address is not listened to.
const FREE: u32 = 3;
/// The longest such time.
const LONGEST: Duration = Duration::from_secs(300);
/// After so long without a wrong token an address is as good as new.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(3_600);
/// The most addresses that are remembered.
const MOST_ADDRESSES: usize = 4_096;

/// Wrong tokens, by address.
#[derive(Default)]
pub struct Attempts(Mutex<HashMap<IpAddr, Wrong>>);

struct Wrong {
    count: u32,
    last: Instant,
}

impl Attempts {
    /// How long this address is not listened to.
    pub fn shut_out(&self, address: IpAddr, now: Instant) -> Option<Duration> {
        let attempts = self.attempts();
        let wrong = attempts.get(&network(address))?;
        let beyond = wrong.count.checked_sub(FREE)?;
        let until = wrong.last + Duration::from_secs(1 << beyond.min(16)).min(LONGEST);
        Some(until.saturating_duration_since(now)).filter(|left| !left.is_zero())
    }

    /// This address gave a wrong token.
    pub fn wrong(&self, address: IpAddr, now: Instant) {
        let mut attempts = self.attempts();
        attempts.retain(|_, wrong| now.duration_since(wrong.last) < FORGOTTEN_AFTER);
        let address = network(address);
        if attempts.len() >= MOST_ADDRESSES && !attempts.contains_key(&address) {
            let oldest = attempts.iter().min_by_key(|(_, wrong)| wrong.last).map(|(address, _)| *address);
            oldest.map(|oldest| attempts.remove(&oldest));
        }
        let wrong = attempts.entry(address).or_insert(Wrong { count: 0, last: now });
        (wrong.count, wrong.last) = (wrong.count.saturating_add(1), now);
    }

    /// This address gave the right one.
    pub fn right(&self, address: IpAddr) {
        self.attempts().remove(&network(address));
    }

    fn attempts(&self) -> MutexGuard<'_, HashMap<IpAddr, Wrong>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whoever has one IPv6 address has all of its network of 64 bits.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_guesses_is_listened_to_less_and_less() {
        let (attempts, now) = (Attempts::default(), Instant::now());
        let (guesser, other): (IpAddr, IpAddr) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let mut waits = Vec::new();
        for _ in 0..14 {
            attempts.wrong(guesser, now);
            waits.push(attempts.shut_out(guesser, now).map_or(0, |left| left.as_secs()));
        }
        assert_eq!(waits, [0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
        assert_eq!(attempts.shut_out(guesser, now + LONGEST), None);
        assert_eq!(attempts.shut_out(other, now), None);
        attempts.right(guesser);
        assert_eq!(attempts.shut_out(guesser, now), None);
    }

    #[test]
    fn a_network_is_one_guesser_and_many_guessers_take_no_memory() {
        let (attempts, now) = (Attempts::default(), Instant::now());
        for number in 0..3_u128 {
            attempts.wrong(Ipv6Addr::from_bits(0x2001_0db8 << 96 | number).into(), now);
        }
        assert!(attempts.shut_out("2001:db8::7".parse().unwrap(), now).is_some());
        for number in 0..10_000_u32 {
            attempts.wrong(std::net::Ipv4Addr::from_bits(number).into(), now);
        }
        assert_eq!(attempts.attempts().len(), MOST_ADDRESSES);
    }
}
