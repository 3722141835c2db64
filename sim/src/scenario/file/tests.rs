use super::*;

const GOOD: &str = r#"# A title
#
# The story.

servers = 3
observers = 1
start = "1, 2"
bugs = ["A01"]
kills = ["M01", "M02"]

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
    assert_eq!(scenario.kills, ["M01", "M02"]);
    assert_eq!(scenario.start, [ServerId(1), ServerId(2)]);
    assert_eq!(scenario.settings.ensemble, Ensemble::plain(3, 1));
    assert_eq!(scenario.settings.tick_time, Duration::from_millis(500));
    assert_eq!(scenario.settings.election, ElectionAlgorithm::Basic);
    assert_eq!(scenario.settings.disk.sync_micros, (5_000, 10_000));
    assert_eq!(scenario.settings.load.clients, 0);
    assert_eq!(scenario.steps.len(), 2);
    assert_eq!((scenario.steps[0].line, scenario.steps[1].line), (18, 24));
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
        ("tick_time", "tick", 12, 1, "unknown field `tick`"),
        ("500ms", "500", 12, 13, "`500` is no span of time"),
        ("500ms", "0s", 11, 1, "`tick_time` is 0; expected at least 1"),
        ("\"basic\"", "\"best\"", 13, 12, "unknown variant `best`"),
        ("5ms..10ms", "10ms..5ms", 16, 8, "ends before it begins"),
        ("after = \"5s\"", "ofter = \"5s\"", 19, 1, "unknown field `ofter`"),
        ("write 5", "write a lot", 20, 25, "`a`"),
        ("write 5", "write 5 at 9", 20, 18, "no server 9"),
        ("server 3 is leading", "server 3 is winning", 21, 23, "`winning`"),
        ("within = \"10s\"", "within = \"10s\"\nfor = \"1s\"", 23, 7, "not both"),
        ("limit = \"2min\"", "limit = \"long\"", 26, 9, "no span of time"),
        ("Truncated on", "Vanished on", 25, 10, "an event: Recovered"),
    ] {
        let (found_line, found_column, message) = complaint(old, new);
        assert_eq!((found_line, found_column), (line, column), "{new}: {message}");
        assert!(message.contains(said), "{new}: {message}");
    }
}

#[test]
fn groups_and_weights_make_a_hierarchy() {
    let groups = "observers = 1\ngroups = [\"1 3\", \"2\"]\nweights = { 3 = 0 }";
    let scenario = parse(&GOOD.replacen("observers = 1", groups, 1)).unwrap_or_else(|e| panic!("{e}"));
    let ensemble = &scenario.settings.ensemble;
    let members: Vec<_> = ensemble.members.values().map(|member| (member.group, member.weight)).collect();
    assert!(ensemble.hierarchical);
    assert_eq!(members, [(1, 1), (2, 1), (1, 0), (0, 1)]);
}

#[test]
fn groups_and_weights_that_make_no_sense_are_refused() {
    for (new, line, column, said) in [
        ("groups = [\"1 2\"]", 6, 10, "server 3 is in no group"),
        ("groups = [\"1 2\", \"2 3\"]", 6, 18, "server 2 is in two groups"),
        ("groups = [\"1 2\", \"3 4\"]", 6, 18, "no server 4"),
        ("groups = [\"1 2\", \"three\"]", 6, 19, "`three`"),
        ("weights = { 1 = 2 }", 6, 11, "count within `groups`"),
        ("groups = [\"1 2 3\"]\nweights = { 4 = 2 }", 7, 13, "`4` is no server with a vote"),
        ("groups = [\"1 2 3\"]\nweights = { 1 = 0, 2 = 0, 3 = 0 }", 5, 11, "nobody may lead"),
    ] {
        let (found_line, found_column, message) = complaint("observers = 1", new);
        assert_eq!((found_line, found_column), (line, column), "{new}: {message}");
        assert!(message.contains(said), "{new}: {message}");
    }
}

#[test]
#[cfg(feature = "mutants")]
fn a_mutant_that_does_not_exist_is_pointed_at() {
    let (line, column, message) = complaint("\"M02\"", "\"M999\"");
    assert_eq!((line, column), (9, 17), "{message}");
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
    assert!(error.to_string().starts_with("a.scenario:21:23: `winning`"), "{error}");
    let lines: Vec<_> = error.excerpt.lines().collect();
    assert_eq!(lines[1].find("^^^^^^^"), lines[0].find("winning"));
}
