//! The rounds of a cutover in which the old server works: each brings what has changed since the one before.

use std::path::Path;

use anyhow::Result;

use super::staged;
use crate::args::Pull;
use crate::command::Context;
use crate::command::pull::archive::{Pulled, pull};
use crate::screen;

/// What comes in less than so many bytes is little.
const LITTLE: u64 = 1 << 20;
/// A site that changes as fast as it comes gets no better with more rounds.
const MOST_ROUNDS: u32 = 5;

/// Pulls into the archive that is kept beside the site until what is left is little, or gets no less.
pub fn run(args: &Pull, kept: &Path, context: &Context) -> Result<()> {
    let mut before = None;
    for number in 1..=MOST_ROUNDS {
        let have = kept.exists().then(|| kept.to_owned());
        let pulling = Pull { have, force: true, json: false, ..args.clone() };
        let pulled = pull(&pulling, kept, &staged::refuse_older, context)?;
        context.screen.clear();
        tell(number, &pulled, context);
        if is_enough(pulled.wire_bytes, before) {
            break;
        }
        before = Some(pulled.wire_bytes);
    }
    Ok(())
}

fn is_enough(came: u64, before: Option<u64>) -> bool {
    came < LITTLE || before.is_some_and(|before| came > before / 2)
}

fn tell(number: u32, pulled: &Pulled, context: &Context) {
    let what = match pulled.taken {
        Some((_, came)) => format!("{came} records have changed"),
        None => format!("{} records", pulled.summary.records()),
    };
    let (bytes, seconds) = (screen::bytes(pulled.wire_bytes as f64), pulled.all.as_secs_f64());
    context.screen.say(format_args!("round {number}: {what}, {bytes} over the wire in {seconds:.1} s"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_end_when_little_comes_or_no_less_than_before() {
        assert!(is_enough(1000, None));
        assert!(!is_enough(LITTLE, None));
        assert!(!is_enough(10 * LITTLE, Some(100 * LITTLE)));
        assert!(is_enough(60 * LITTLE, Some(100 * LITTLE)));
        assert!(is_enough(1000, Some(100 * LITTLE)));
    }
}
