use super::*;

const GOOD: &str = r#"# A title
#
# The story.

servers = 3
observers = 1
start = "1, 2"
bugs = ["A01"]

[settings]
tick_time = "500ms"
election = "basic"

[disk]
sync = "5ms..10ms"

[[step]]
after = "5s"
do = ["start 3", "write 5"]
expect = "server 3 is leading"
within = "10s"

[[step]]
when = ["Truncated on server 1", "server 1 is up"]
limit = "2min"
"#;

fn parse(text: &str) -> Result<Scenario, ScenarioError> {
    Scenario::parse("name", "a.scenario", text)
}

#[test]
fn a_good_file_is_understood() {
    let scenario = parse(GOOD).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(scenario.title(), "A title");
    assert_eq!(scenario.story, "A title\n\nThe story.");
    assert_eq!(scenario.bugs, ["A01"]);
    assert_eq!(scenario.start, [ServerId(1), ServerId(2)]);
    assert_eq!(scenario.settings.ensemble, Ensemble::plain(3, 1));
    assert_eq!(scenario.settings.tick_time, Duration::from_millis(500));
    assert_eq!(scenario.settings.election, ElectionAlgorithm::Basic);
    assert_eq!(scenario.settings.disk.sync_micros, (5_000, 10_000));
    assert_eq!(scenario.settings.load.clients, 0);
    assert_eq!(scenario.steps.len(), 2);
    assert_eq!((scenario.steps[0].line, scenario.steps[1].line), (17, 23));
    assert_eq!(scenario.steps[0].holding, Holding::Within(Duration::from_seconds(10)));
    assert_eq!(scenario.steps[0].actions.len(), 2);
}

/// Replaces a part of the good file, and returns where the complaint points and what it says.
fn complaint(old: &str, new: &str) -> (usize, usize, String) {
    assert!(GOOD.contains(old), "{old}");
    let error = parse(&GOOD.replacen(old, new, 1)).map(|_| ()).expect_err(new);
    assert!(error.excerpt.contains('^'));
    (error.line, error.column, error.message)
}

#[test]
fn every_mistake_is_told_with_its_line_and_column() {
    for (old, new, line, column, said) in [
        ("servers = 3", "serves = 3", 5, 1, "unknown field `serves`"),
        ("servers = 3", "servers = \"three\"", 5, 11, "expected u64"),
        ("servers = 3", "servers = 30", 5, 11, "expected 1 to 9"),
        ("servers = 3", "servers = = 3", 5, 11, ""),
        ("start = \"1, 2\"", "start = \"1, 7\"", 7, 9, "no server 7"),
        ("start = \"1, 2\"", "start = \"some\"", 7, 10, "`all`, `none`"),
        ("tick_time", "tick", 11, 1, "unknown field `tick`"),
        ("500ms", "500", 11, 13, "`500` is no span of time"),
        ("\"basic\"", "\"best\"", 12, 12, "unknown variant `best`"),
        ("5ms..10ms", "10ms..5ms", 15, 8, "ends before it begins"),
        ("after = \"5s\"", "ofter = \"5s\"", 18, 1, "unknown field `ofter`"),
        ("write 5", "write a lot", 19, 25, "`a`"),
        ("write 5", "write 5 at 9", 19, 18, "no server 9"),
        ("server 3 is leading", "server 3 is winning", 20, 23, "`winning`"),
        ("within = \"10s\"", "within = \"10s\"\nfor = \"1s\"", 22, 7, "not both"),
        ("limit = \"2min\"", "limit = \"long\"", 25, 9, "no span of time"),
        ("Truncated on", "Vanished on", 24, 10, "an event: Recovered"),
    ] {
        let (found_line, found_column, message) = complaint(old, new);
        assert_eq!((found_line, found_column), (line, column), "{new}: {message}");
        assert!(message.contains(said), "{new}: {message}");
    }
}

#[test]
fn a_step_that_makes_no_sense_is_refused() {
    for (old, new, said) in [
        ("after = \"5s\"", "after = \"5s\"\nat = \"6s\"", "only one of"),
        ("when = [\"Truncated on server 1\", \"server 1 is up\"]", "", "`limit` belongs to `when`"),
        ("expect = \"server 3 is leading\"\n", "", "belong to `expect`"),
        ("# A title\n", "", "opens with its story"),
        ("limit = \"2min\"", "[[step]]\nafter = \"1s\"", "does nothing"),
    ] {
        let (_, _, message) = complaint(old, new);
        assert!(message.contains(said), "{new}: {message}");
    }
}

#[test]
fn the_offending_part_is_underlined() {
    let error = parse(&GOOD.replace("server 3 is leading", "server 3 is winning")).unwrap_err();
    assert!(error.to_string().starts_with("a.scenario:20:23: `winning`"), "{error}");
    let lines: Vec<_> = error.excerpt.lines().collect();
    assert_eq!(lines[1].find("^^^^^^^"), lines[0].find("winning"));
}
