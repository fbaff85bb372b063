//! Times to wait, as they are typed.

use std::time::Duration;

/// A time to wait: seconds, or a number with `s`, `m` or `h`.
pub(super) fn waiting_time(text: &str) -> Result<Duration, String> {
    let (digits, seconds) = match text.strip_suffix(['s', 'm', 'h']) {
        Some(digits) if text.ends_with('m') => (digits, 60),
        Some(digits) if text.ends_with('h') => (digits, 3600),
        Some(digits) => (digits, 1),
        None => (text, 1),
    };
    let number: u64 = digits.parse().map_err(|_| "give seconds, or a number with s, m or h, such as 5m".to_owned())?;
    match number.checked_mul(seconds) {
        Some(seconds) if seconds <= 24 * 3600 => Ok(Duration::from_secs(seconds)),
        _ => Err("nobody waits for more than 24 hours".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waiting_time_is_seconds_or_has_a_unit() {
        let times = ["0", "90", "90s", "5m", "2h"].map(|text| waiting_time(text).unwrap().as_secs());
        assert_eq!(times, [0, 90, 90, 300, 7200]);
        for wrong in ["", "m", "-1", "1.5", "5d", "25h", "99999999999999999999", "18446744073709551615h"] {
            assert!(waiting_time(wrong).is_err(), "{wrong}");
        }
    }
}
