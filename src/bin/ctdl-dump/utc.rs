//! Points in time as people read them, always in UTC: what an archive says must not depend on where it is read.

/// A day and a time of day.
struct Civil {
    year: i64,
    month: usize,
    day: i64,
    weekday: usize,
    hour: i64,
    minute: i64,
    second: i64,
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];

/// `2026-11-24 08:15`, of seconds since 1970.
pub fn minute(seconds: i64) -> String {
    let Civil { year, month, day, hour, minute, .. } = civil(seconds);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}")
}

/// `2026-11-24 08:15:59 UTC`, of seconds since 1970.
pub fn second(seconds: i64) -> String {
    format!("{}:{:02} UTC", minute(seconds), civil(seconds).second)
}

/// `Tue, 24 Nov 2026 08:15:59 +0000`, the date of a mail (RFC 5322), of seconds since 1970.
pub fn mail(seconds: i64) -> String {
    let Civil { year, month, day, weekday, hour, minute, second } = civil(seconds);
    let (weekday, month) = (WEEKDAYS[weekday], MONTHS[month - 1]);
    format!("{weekday}, {day} {month} {year:04} {hour:02}:{minute:02}:{second:02} +0000")
}

fn civil(seconds: i64) -> Civil {
    let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // The Gregorian calendar repeats every 400 years (146,097 days). A year that begins in March has its leap day at its end, and months
    // whose lengths repeat every five months (153 days).
    let shifted = days + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    Civil {
        year: era * 400 + year_of_era + i64::from(month <= 2),
        month: month as usize,
        day: of_year - (153 * march_month + 2) / 5 + 1,
        weekday: days.rem_euclid(7) as usize,
        hour: of_day / 3_600,
        minute: of_day / 60 % 60,
        second: of_day % 60,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_that_date_gives() {
        // By `date -u -d @SECONDS -R`.
        for (seconds, expected) in [
            (0, "Thu, 1 Jan 1970 00:00:00 +0000"),
            (-1, "Wed, 31 Dec 1969 23:59:59 +0000"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 +0000"),
            (951_868_799, "Tue, 29 Feb 2000 23:59:59 +0000"),
            (951_868_800, "Wed, 1 Mar 2000 00:00:00 +0000"),
            (1_795_517_293, "Tue, 24 Nov 2026 10:48:13 +0000"),
            (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 +0000"),
            (4_107_542_400, "Mon, 1 Mar 2100 00:00:00 +0000"),
        ] {
            assert_eq!(mail(seconds), expected);
        }
        assert_eq!(minute(1_795_517_293), "2026-11-24 10:48");
        assert_eq!(second(1_795_517_293), "2026-11-24 10:48:13 UTC");
    }

    #[test]
    fn any_number_is_some_day() {
        for seconds in [i64::MIN, i64::MAX, i64::MIN / 2] {
            assert!(!mail(seconds).is_empty());
        }
    }
}
