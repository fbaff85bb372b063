//! Connections on which things go wrong by a seed: a push goes on or says why not, and nothing wrong is put in place. A failure names its seed.

use ctdl_dump::archive::Options;

use super::super::faulty::{Dice, FAULTS, halves, seeds};
use super::super::view;
use super::{Line, SharedShelf, few, placed, plain, records};
use crate::archive::write_folded;

const SEEDS: u64 = 400;

#[test]
fn whatever_goes_wrong_on_a_line_nothing_wrong_is_put_in_place_and_the_next_push_succeeds() {
    let cases = [few(), records()].map(|records| {
        let view = view(&write_folded(&records, Options::default()).0);
        let whole = Line::new(&SharedShelf::default(), 1, |_, stream| plain(stream)).push(&view).unwrap();
        (records, view, whole.wire_bytes)
    });
    let (mut finished, mut told) = (0, 0);
    for seed in seeds(SEEDS) {
        let (records, view, length) = &cases[usize::from(seed % 4 == 3)];
        let mut dice = Dice(seed);
        let faulty = 1 + dice.below(3) as u32;
        let shelf = SharedShelf::default();
        let mut line = Line::new(&shelf, faulty + 1, |number, stream| match number {
            number if number > faulty => plain(stream),
            number => halves(Dice(seed << 8 | u64::from(number)), stream, (*length, 300), FAULTS),
        });
        line.may_hang = faulty;
        match line.push(view) {
            Ok(pushed) => {
                finished += 1;
                assert_eq!(pushed.site_digest, view.archive().root().site_digest, "seed {seed}");
            }
            Err(_) => {
                told += 1;
                let again = || Line::new(&shelf, 0, |_, stream| plain(stream)).push(view);
                // That half of a body is wrong may show when the other half has come; then all of it is given up.
                let refused = again().or_else(|_| again()).err().map(|error| error.to_string());
                // If it was the last answer that went wrong, the server can't know.
                assert!(refused.is_none_or(|error| error.contains("there is a site already")), "seed {seed}");
            }
        }
        assert!(placed(&shelf) == *records, "seed {seed}");
    }
    assert!(finished > SEEDS / 4 && told > SEEDS / 8, "{finished} finished, {told} told why not");
}
