//! Numbers as people write and read them.

use zabrus_core::Duration;

/// Reads a span of time: `250us`, `20ms`, `5s`, `2min`, `1h`.
///
/// # Errors
/// What was expected instead.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let micros = match unit.trim_start() {
        "us" => 1,
        "ms" => 1_000,
        "s" => 1_000_000,
        "min" | "m" => 60_000_000,
        "h" => 3_600_000_000,
        _ => 0,
    };
    match number.parse::<u64>().ok().and_then(|number| number.checked_mul(micros)) {
        Some(span) if micros > 0 => Ok(Duration(span)),
        _ => Err(format!(
            "`{text}` is no span of time; expected a whole number and us, ms, s, min or h, such as 500ms"
        )),
    }
}

/// A number with its thousands set apart.
#[must_use]
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A span of time in the two units that matter.
#[must_use]
pub fn span(duration: Duration) -> String {
    let seconds = duration.0 / 1_000_000;
    match seconds {
        0..60 => format!("{}.{} s", seconds, duration.0 / 100_000 % 10),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        3600..86400 => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} days {:02} h", seconds / 86400, seconds / 3600 % 24),
    }
}

/// A wall-clock time, in milliseconds since the Unix epoch, as a date; years end with 9999.
#[must_use]
pub fn utc(wall_millis: u64) -> String {
    let millis = wall_millis.min(253_402_300_799_999);
    let (mut days, mut year) = (millis / 86_400_000, 1970);
    let is_leap =
        |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    while days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let mut month = 1;
    for length in [31, 28 + u64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    let seconds = millis / 1_000;
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year}-{month:02}-{:02} {hour:02}:{minute:02}:{second:02}.{:03} UTC", days + 1, millis % 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_of_time_needs_a_number_and_a_unit() {
        assert_eq!(parse_duration("250us"), Ok(Duration(250)));
        assert_eq!(parse_duration("5s"), Ok(Duration::from_seconds(5)));
        assert_eq!(parse_duration("2 min"), Ok(Duration::from_seconds(120)));
        for bad in ["", "5", "s", "-1s", "1.5s", "5 parsecs", "99999999999999h"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn large_numbers_are_readable() {
        assert_eq!(count(7), "7");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(span(Duration::from_millis(1_250)), "1.2 s");
        assert_eq!(span(Duration::from_seconds(3_725)), "1 h 02 min");
    }

    #[test]
    fn a_wall_clock_time_is_a_date() {
        assert_eq!(utc(0), "1970-01-01 00:00:00.000 UTC");
        assert_eq!(utc(1_709_210_096_007), "2024-02-29 12:34:56.007 UTC");
        assert_eq!(utc(1_709_251_200_000), "2024-03-01 00:00:00.000 UTC");
        assert_eq!(utc(4_107_542_399_999), "2100-02-28 23:59:59.999 UTC");
        assert_eq!(utc(4_107_542_400_000), "2100-03-01 00:00:00.000 UTC");
        assert_eq!(utc(u64::MAX), "9999-12-31 23:59:59.999 UTC");
    }
}
