use proptest::prelude::*;
use zabrus_core::quorum::MemberKind;

use super::*;

const THREE: &str = "\
tickTime=2000
initLimit=10
syncLimit=5
dataDir=/var/lib/zookeeper
clientPort=2181
server.1=zoo1:2888:3888
server.2=zoo2:2888:3888
server.3=zoo3:2888:3888
";

fn reading(text: &str, myid: Option<&str>) -> Reading {
    understand(text, |_| Ok(myid.map(str::to_owned)))
}

#[track_caller]
fn accepted(text: &str, myid: Option<&str>) -> Settings {
    let reading = reading(text, myid);
    reading.settings.unwrap_or_else(|| panic!("{:#?}", reading.remarks))
}

/// The only error of a file that has one.
#[track_caller]
fn refused(text: &str, myid: Option<&str>) -> (Option<usize>, String) {
    let reading = reading(text, myid);
    assert!(reading.settings.is_none());
    let mut errors = reading.remarks.into_iter().filter(|remark| remark.severity == Severity::Error);
    let first = errors.next().expect("an error");
    assert_eq!(errors.next(), None, "after {first:?}");
    (first.line, first.text)
}

#[test]
fn a_file_of_three_servers_is_read() {
    let settings = accepted(THREE, Some("2\n"));
    assert!(!settings.standalone);
    assert_eq!(settings.core.id, ServerId(2));
    assert_eq!(settings.core.ensemble.voters().count(), 3);
    assert_eq!(settings.core.tick_time, Duration::from_seconds(2));
    assert_eq!((settings.core.init_limit, settings.core.sync_limit), (10, 5));
    assert_eq!(settings.servers[&ServerId(3)].addresses[0].election_port, 3888);
    assert_eq!(settings.client.address, HostPort { host: "0.0.0.0".into(), port: 2181 });
    assert_eq!((settings.client.min_session_timeout, settings.client.max_session_timeout), (4_000, 40_000));
    assert_eq!(settings.log_directory, settings.data_directory);
}

#[test]
fn defaults_are_those_of_zookeeper() {
    let settings = accepted("dataDir=/d\nclientPort=2181", None);
    assert_eq!(settings.core.tick_time, Duration::from_seconds(3));
    assert_eq!(settings.client.per_address, 60);
    assert_eq!(settings.client.frame_limit, 0xf_ffff);
    assert_eq!(settings.core.snapshot_interval, 100_000);
    assert!(settings.force_sync);
}

#[test]
fn a_flight_recorder_is_a_wish_and_comes_with_a_warning() {
    let alone = "dataDir=/d\nclientPort=2181\n";
    assert_eq!(accepted(alone, None).record, None);
    let text = format!("{alone}record=/r\nrecordSizeLimitInMb=7");
    let expected = RecordSettings { directory: "/r".into(), limit: 7 << 20 };
    assert_eq!(accepted(&text, None).record, Some(expected));
    let warns = |remark: &Remark| remark.line == Some(3) && remark.severity == Severity::Warning;
    assert!(reading(&text, None).remarks.iter().any(warns), "passwords are recorded");
}

#[test]
fn without_server_lines_a_server_is_alone_and_needs_no_myid() {
    let settings = accepted("dataDir=/d\nclientPort=2181", None);
    assert!(settings.standalone);
    assert_eq!(settings.core.id, ServerId(0));
    assert_eq!(accepted("dataDir=/d\nclientPort=2181", Some("7")).core.id, ServerId(7));
}

#[test]
fn one_server_line_is_a_server_alone_unless_the_file_says_otherwise() {
    let one = "dataDir=/d\ninitLimit=5\nsyncLimit=2\nserver.1=a:1:2;2181\n";
    let alone = accepted(one, Some("1"));
    assert!(alone.standalone && alone.servers.is_empty());
    assert_eq!(alone.client.address.port, 2181);
    let ensemble = accepted(&format!("{one}standaloneEnabled=false"), Some("1"));
    assert!(!ensemble.standalone && ensemble.servers.len() == 1);
}

#[test]
fn observers_do_not_vote() {
    let settings =
        accepted(&format!("{THREE}server.4=zoo4:2888:3888:observer\npeerType=observer"), Some("4"));
    assert!(!settings.core.ensemble.is_voter(ServerId(4)));
    assert_eq!(settings.core.ensemble.members[&ServerId(4)].kind, MemberKind::Observer);
}

#[test]
fn groups_and_weights_are_read() {
    let settings = accepted(&format!("{THREE}group.1=1:2\ngroup.2=3\nweight.2=0"), Some("1"));
    assert!(settings.core.ensemble.hierarchical);
    let member = |id| settings.core.ensemble.members[&ServerId(id)];
    assert_eq!((member(1).group, member(3).group), (1, 2));
    assert_eq!((member(1).weight, member(2).weight), (1, 0));
}

#[test]
fn a_participant_in_no_group_is_refused() {
    let (line, text) = refused(&format!("{THREE}group.1=1:2"), Some("1"));
    assert_eq!(line, None);
    assert!(text.contains("server 3 is in no group"), "{text}");
}

#[test]
fn an_ensemble_in_which_nobody_may_lead_is_refused() {
    let weightless = format!("{THREE}group.1=1:2:3\nweight.1=0\nweight.2=0\nweight.3=0");
    assert!(refused(&weightless, Some("1")).1.contains("nobody may lead"));
}

#[test]
fn errors_name_the_line_and_what_to_do() {
    for (extra, complaint) in [
        ("syncLimit=many", "syncLimit must be a number"),
        ("server.4=zoo4:2888", "server.4: `zoo4:2888` must have the form"),
        ("server.x=zoo4:2888:3888", "must be followed by a server's id"),
        ("electionAlg=1", "electionAlg must be 3"),
        ("forceSync=maybe", "`yes` or `no`"),
        ("sslQuorum=true", "remove sslQuorum"),
        ("dynamicConfigFile=/x", "says nothing about members"),
        ("clientPort=99999", "clientPort must be a port"),
        ("peerType=voter", "peerType must be"),
        ("weight.1=2", "needs a line server.1 and lines group.N"),
        ("a=\\uzzzz", "four hexadecimal digits"),
    ] {
        let (line, text) = refused(&format!("{THREE}{extra}"), Some("1"));
        assert_eq!(line, Some(9), "{extra}: {text}");
        assert!(text.contains(complaint), "{extra}: {text}");
    }
}

#[test]
fn local_sessions_and_reading_without_a_quorum_are_for_ensembles() {
    let text = "localSessionsEnabled=true\nlocalSessionsUpgradingEnabled=true\nreadonlymode.enabled=true\n";
    let switches = |service: &ServiceSettings| {
        [service.local_sessions, service.upgrade_local_sessions, service.read_only_mode]
    };
    let three = format!("{THREE}{text}");
    assert_eq!(switches(&accepted(&three, Some("1")).core.service), [true; 3]);
    assert_eq!(switches(&accepted(THREE, Some("1")).core.service), [false; 3]);
    let alone = format!("dataDir=/d\nclientPort=1\n{text}");
    assert_eq!(switches(&accepted(&alone, None).core.service), [false; 3]);
    let both = format!("{three}linearizableReads=true\n");
    let warns = |remark: &Remark| remark.text.contains("linearizableReads could not be kept");
    assert!(reading(&both, Some("1")).remarks.iter().any(warns));
}

#[test]
fn what_is_missing_is_said() {
    let without = |key: &str| -> String {
        THREE.lines().filter(|line| !line.starts_with(key)).map(|line| format!("{line}\n")).collect()
    };
    for key in ["dataDir", "clientPort", "initLimit", "syncLimit"] {
        let (line, text) = refused(&without(key), Some("1"));
        assert_eq!(line, None);
        assert!(text.starts_with(&format!("{key} is missing")), "{text}");
    }
    assert!(refused(THREE, None).1.contains("myid is missing"));
    assert!(refused(THREE, Some("one")).1.contains("must hold this server's number"));
    assert!(refused(THREE, Some("9")).1.contains("there is no line server.9"));
}

#[test]
fn observers_alone_are_no_ensemble() {
    let one = "dataDir=/d\nclientPort=1\nserver.1=a:1:2:observer\n";
    assert!(refused(one, Some("1")).1.contains("two participants"));
}

#[test]
fn a_client_port_that_contradicts_the_own_server_line_is_refused() {
    let text = THREE.replace("zoo1:2888:3888", "zoo1:2888:3888;2182");
    assert!(refused(&text, Some("1")).1.contains("remove one"));
    assert_eq!(accepted(&text, Some("2")).client.address.port, 2181, "another server's line does not matter");
}

#[test]
fn a_repeated_key_counts_once_and_is_a_warning() {
    let reading = reading("dataDir=/d\nclientPort=1\ntickTime=1000\ntickTime=500", None);
    assert_eq!(reading.settings.expect("valid").core.tick_time, Duration::from_millis(500));
    let warned: Vec<_> = reading.remarks.iter().filter(|r| r.severity == Severity::Warning).collect();
    assert_eq!((warned.len(), warned[0].line), (1, Some(3)));
}

#[test]
fn to_sync_nothing_is_a_danger() {
    let reading = reading("dataDir=/d\nclientPort=1\nforceSync=no", None);
    assert!(
        reading.remarks.iter().any(|remark| remark.severity == Severity::Danger && remark.line == Some(3))
    );
    assert!(!reading.settings.expect("valid").force_sync);
}

#[test]
fn every_line_is_explained() {
    let reading = reading(&format!("{THREE}frobnicate=1\nssl.protocol=TLSv1.3"), Some("1"));
    let lines: Vec<_> = reading.remarks.iter().filter_map(|remark| remark.line).collect();
    assert_eq!(lines, (1..=10).collect::<Vec<_>>());
}

#[test]
fn a_broken_list_of_servers_does_not_hide_what_else_is_wrong() {
    let reading = reading(&format!("{THREE}syncLimit=x\nssl.protocol=TLSv1.3"), None);
    let lines: Vec<_> =
        reading.remarks.iter().filter(|r| r.severity > Severity::Note).map(|r| r.line).collect();
    assert_eq!(lines, [Some(3), Some(9), Some(10), None], "{:#?}", reading.remarks);
}

#[test]
fn minus_one_stands_for_the_default_where_zookeeper_has_it_so() {
    let text = "dataDir=/d\nclientPort=1\nminSessionTimeout=-1\nmaxSessionTimeout=-1\ntxnLogSizeLimitInKb=-1";
    assert_eq!(accepted(text, None).client, accepted("dataDir=/d\nclientPort=1", None).client);
}

#[test]
fn the_limit_of_a_frame_may_be_hexadecimal() {
    assert_eq!(accepted("dataDir=/d\nclientPort=1\njute.maxbuffer=0xffff", None).client.frame_limit, 0xffff);
}

#[test]
fn the_words_are_those_of_the_file_or_the_harmless_ones() {
    let words = |text: &str| accepted(&format!("dataDir=/d\nclientPort=1\n{text}"), None).client.words;
    assert_eq!(words("4lw.commands.whitelist = ruok , stat"), ["ruok", "stat"]);
    assert!(words("").contains(&"mntr".to_owned()) && !words("").contains(&"wchc".to_owned()));
}

const KEYS: [&str; 14] = [
    "tickTime",
    "initLimit",
    "dataDir",
    "clientPort",
    "server.1",
    "server.2",
    "group.1",
    "weight.1",
    "snapCount",
    "electionAlg",
    "peerType",
    "forceSync",
    "txnLogSizeLimitInKb",
    "jute.maxbuffer",
];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_file_is_settings_or_errors(
        entries in prop::collection::vec((prop::sample::select(&KEYS[..]), r"([0-9a-z:;|\-]|true|yes|\PC){0,20}"), 0..20),
        myid in prop::option::of("[0-9]{1,3}"),
    ) {
        let text: String = entries.iter().map(|(key, value)| format!("{key}={value}\n")).collect();
        let reading = reading(&text, myid.as_deref());
        let has_error = reading.remarks.iter().any(|remark| remark.severity == Severity::Error);
        prop_assert_eq!(reading.settings.is_none(), has_error, "{:?}", reading.remarks);
    }
}
