//! Conversations with a ZooKeeper server, as `tests/conversations/README.md` describes their files.

mod frame;
mod replay;

pub use frame::{Bindings, Frame, Token};
pub use replay::{Heard, Said, replay};

/// One recorded conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    /// What the server's configuration says besides the defaults, in the order of the file.
    pub settings: Vec<(String, String)>,
    /// What happened, in order.
    pub steps: Vec<Step>,
}

/// One line of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its line in the file, counted from 1.
    pub line: usize,
    /// What happened there.
    pub event: Event,
}

/// What happens in a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A client makes a connection (`a opens`).
    Opens(String),
    /// A client sends a frame (`a -> ...`).
    Sends(String, Frame),
    /// A client sends bytes without the length of a frame (`a => ...`).
    SendsBytes(String, Vec<u8>),
    /// A client gets a frame (`a <- ...`).
    Gets(String, Frame),
    /// The server closes a client's connection (`a is closed`).
    IsClosed(String),
    /// A client drops its connection (`a closes`).
    Closes(String),
    /// This many milliseconds pass (`wait 100 ms`).
    Waits(u64),
}

/// Reads the text of a file.
///
/// # Errors
/// If a line is none of the format; the error names it.
pub fn parse(text: &str) -> Result<Conversation, String> {
    let mut conversation = Conversation { settings: Vec::new(), steps: Vec::new() };
    for (number, line) in text.lines().enumerate() {
        let line_number = number + 1;
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(setting) = line.strip_prefix("setting ") {
            let (key, value) = setting
                .split_once('=')
                .ok_or_else(|| format!("line {line_number}: a setting is KEY=VALUE"))?;
            conversation.settings.push((key.to_owned(), value.to_owned()));
            continue;
        }
        let event = event(line).map_err(|error| format!("line {line_number}: {error}"))?;
        conversation.steps.push(Step { line: line_number, event });
    }
    Ok(conversation)
}

fn event(line: &str) -> Result<Event, String> {
    if let Some(time) = line.strip_prefix("wait ") {
        let number = time.strip_suffix(" ms").ok_or("a wait is `wait NUMBER ms`")?;
        return number.parse().map(Event::Waits).map_err(|error| format!("`{number}`: {error}"));
    }
    let (client, rest) = line.split_once(' ').ok_or("a step begins with the name of a client")?;
    let client = client.to_owned();
    let (verb, text) = rest.split_once(' ').unwrap_or((rest, ""));
    match (verb, text) {
        ("opens", "") => Ok(Event::Opens(client)),
        ("closes", "") => Ok(Event::Closes(client)),
        ("is", "closed") => Ok(Event::IsClosed(client)),
        ("->", text) => Ok(Event::Sends(client, text.parse()?)),
        ("<-", text) => Ok(Event::Gets(client, text.parse()?)),
        ("=>", text) => Ok(Event::SendsBytes(client, frame::bytes_of_hex(text)?)),
        _ => Err(format!("`{rest}` is no step")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_settings_and_steps() {
        let text = "# A story.\n\nsetting tickTime=500\n\na opens\n  # a: ping\na -> fffffffe 0000000b\na => ffff\n\
                    a <- \"x\"\na ->\nwait 20 ms\na is closed\nb closes\n";
        let parsed = parse(text).expect("the text is right");
        assert_eq!(parsed.settings, [("tickTime".to_owned(), "500".to_owned())]);
        let a = || "a".to_owned();
        let ping = Frame(vec![Token::Bytes(vec![255, 255, 255, 254]), Token::Bytes(vec![0, 0, 0, 11])]);
        let expected = [
            (5, Event::Opens(a())),
            (7, Event::Sends(a(), ping)),
            (8, Event::SendsBytes(a(), vec![255, 255])),
            (9, Event::Gets(a(), Frame(vec![Token::Bytes(vec![b'x'])]))),
            (10, Event::Sends(a(), Frame(Vec::new()))),
            (11, Event::Waits(20)),
            (12, Event::IsClosed(a())),
            (13, Event::Closes("b".to_owned())),
        ];
        assert_eq!(parsed.steps, expected.map(|(line, event)| Step { line, event }));
    }

    #[test]
    fn a_line_that_is_no_step_is_named() {
        for line in ["a", "a waits", "a is open", "wait 3", "wait x ms", "a <- xyz", "a => 0", "setting x"] {
            let error = parse(&format!("a opens\n{line}")).expect_err(line);
            assert!(error.starts_with("line 2: "), "{error}");
        }
    }
}
