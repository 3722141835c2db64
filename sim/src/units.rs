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
}
