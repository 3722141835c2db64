//! The members in a file of their own, as ZooKeeper keeps them once reconfig is possible (client.md
//! section 16): `dynamicConfigFile=` in zoo.cfg, and `zoo.cfg.dynamic.<version>`.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use zabrus_core::membership::Membership;

use super::keys::{Keys, Severity};
use crate::properties::{self, Entry};

const KEY: &str = "dynamicConfigFile";

/// Whether a line says who belongs to the ensemble.
fn is_of_members(key: &str) -> bool {
    ["server.", "group.", "weight."].iter().any(|start| key.starts_with(start))
}

/// Adds the lines of the file that zoo.cfg names, if it does, and gives the version that its name ends with.
/// What stands in zoo.cfg itself does not count then. `read` reads a file.
pub(super) fn take(keys: &mut Keys, read: impl Fn(&Path) -> Result<Option<String>, String>) -> u64 {
    let Some(entry) = keys.take(KEY).filter(|entry| !entry.value.is_empty()) else { return 0 };
    let path = Path::new(&entry.value);
    let (place, line) = (path.display().to_string(), entry.line);
    let text = match read(path) {
        Ok(Some(text)) => text,
        Ok(None) => {
            keys.error(&entry, format!("{place} is missing: it says who belongs to the ensemble"));
            return 0;
        }
        Err(problem) => {
            keys.error(&entry, problem);
            return 0;
        }
    };
    for stale in keys.take_all(is_of_members) {
        let text = format!("{place} says who belongs to the ensemble; this line has no effect");
        keys.remark(Some(stale.line), Severity::Warning, text);
    }
    match properties::parse(&text) {
        Err(error) => keys.error(&entry, format!("{place}, line {}: {error}", error.line)),
        Ok(entries) => {
            keys.note(&entry, format!("{place} says who belongs to the ensemble"));
            for Entry { line: at, key, value } in entries {
                if is_of_members(&key) {
                    keys.add(Entry { line, key, value });
                } else if key != "version" {
                    keys.error(&entry, format!("{place}, line {at}: `{key}` says nothing about members"));
                }
            }
        }
    }
    let version = path.extension().and_then(|version| version.to_str());
    version.and_then(|version| u64::from_str_radix(version, 16).ok()).unwrap_or(0)
}

/// Writes the members into a file beside `zoo_cfg`, and its name into `zoo_cfg`. What an operator wrote
/// before the first time stays as `zoo.cfg.bak`. `clients`: the members say where this server's clients are
/// served, so zoo.cfg does not.
pub(crate) fn save(zoo_cfg: &Path, members: &Membership, clients: bool) -> io::Result<()> {
    let zoo_cfg = zoo_cfg.canonicalize()?;
    let beside = |suffix: &str| {
        let mut name = zoo_cfg.clone().into_os_string();
        name.push(suffix);
        PathBuf::from(name)
    };
    let dynamic = beside(&format!(".dynamic.{:x}", members.ensemble.version));
    replace(&dynamic, members.lines().as_bytes())?;
    let text = fs::read(&zoo_cfg)?;
    let text = String::from_utf8_lossy(&text);
    let next = rewritten(&text, &dynamic, clients);
    if !text.contains(KEY) {
        replace(&beside(".bak"), text.as_bytes())?;
    }
    if next != text { replace(&zoo_cfg, next.as_bytes()) } else { Ok(()) }
}

/// A file is the old one or the new one, whenever the power goes.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.to_owned().into_os_string();
    name.push(".tmp");
    let mut file = File::create(&name)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&name, path)?;
    path.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
}

/// zoo.cfg without those lines that the dynamic file replaces.
fn rewritten(text: &str, dynamic: &Path, clients: bool) -> String {
    let goes = |key: &str| {
        is_of_members(key)
            || matches!(key, KEY | "peerType")
            || (clients && matches!(key, "clientPort" | "clientPortAddress"))
    };
    let (mut kept, mut continues, mut drops) = (String::new(), false, false);
    for line in text.lines() {
        if !continues {
            // Of a line that goes on the first part holds the key.
            let first = properties::parse(line.trim_end_matches('\\')).unwrap_or_default();
            drops = first.first().is_some_and(|entry| goes(&entry.key));
        }
        continues = line.chars().rev().take_while(|c| *c == '\\').count() % 2 == 1;
        if !drops {
            kept += line;
            kept.push('\n');
        }
    }
    kept + &format!("{KEY}={}\n", dynamic.display().to_string().replace('\\', "\\\\"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zoo_cfg::{Reading, understand};

    const ZOO_CFG: &str = "tickTime=2000\ninitLimit=10\nsyncLimit=5\n# three servers\ndataDir=/d\n\
                           clientPort=2181\npeerType=participant\nserver.1=a:1:2\nserver.2=b:1:2\n\
                           server.3=c:1:\\\n   2\nadmin.enableServer=false\n";

    fn reading(zoo_cfg: &str, members: Option<&str>) -> Reading {
        understand(zoo_cfg, |path| match path.to_str() {
            Some("/d/myid") => Ok(Some("1".into())),
            Some("/etc/members.10000000a") => Ok(members.map(str::to_owned)),
            other => panic!("nobody asks for {other:?}"),
        })
    }

    fn pointing() -> String {
        rewritten(ZOO_CFG, Path::new("/etc/members.10000000a"), false)
    }

    #[test]
    fn zoo_cfg_keeps_everything_but_the_members() {
        let kept = "tickTime=2000\ninitLimit=10\nsyncLimit=5\n# three servers\ndataDir=/d\n\
                    clientPort=2181\nadmin.enableServer=false\n";
        let expected = format!("{kept}dynamicConfigFile=/etc/members.10000000a\n");
        assert_eq!(pointing(), expected);
        assert_eq!(rewritten(&expected, Path::new("/etc/members.10000000a"), false), expected);
        let without_port = expected.replace("clientPort=2181\n", "");
        assert_eq!(rewritten(ZOO_CFG, Path::new("/etc/members.10000000a"), true), without_port);
    }

    #[test]
    fn the_members_and_their_version_are_read_from_the_file() {
        let members = "server.1=a:1:2:participant\nserver.2=b:1:2:participant\nserver.7=g:1:2:observer\n";
        let settings =
            reading(&(pointing() + "reconfigEnabled=true"), Some(members)).settings.expect("valid");
        assert_eq!(settings.core.ensemble.version, 0x1_0000_000a);
        assert!(settings.servers.keys().map(|id| id.0).eq([1, 2, 7]));
        assert_eq!(settings.core.service.ensemble_text, format!("{members}version=10000000a"));
        let settings = reading(&pointing(), Some(members)).settings.expect("valid");
        assert_eq!(settings.core.ensemble.version, 0, "without reconfig there are no versions");
    }

    #[test]
    fn servers_in_zoo_cfg_have_no_effect_beside_the_file() {
        let both = pointing() + "server.9=i:1:2";
        let reading = reading(&both, Some("server.1=a:1:2\nserver.2=b:1:2"));
        let warns = |remark: &super::super::Remark| {
            remark.severity == Severity::Warning && remark.text.contains("no effect")
        };
        assert!(reading.remarks.iter().any(warns), "{:#?}", reading.remarks);
        assert_eq!(reading.settings.expect("valid").servers.len(), 2);
    }

    #[test]
    fn a_file_that_is_missing_or_says_something_else_is_an_error() {
        for (members, complaint) in [
            (None, "is missing"),
            (Some("tickTime=1"), "says nothing about members"),
            (Some("\\u1"), "line 1"),
        ] {
            let reading = reading(&pointing(), members);
            assert!(reading.settings.is_none());
            assert!(reading.remarks.iter().any(|remark| remark.text.contains(complaint)), "{complaint}");
        }
    }

    #[test]
    fn saving_writes_both_files_and_keeps_what_an_operator_wrote() {
        let directory = tempfile::tempdir().unwrap();
        let zoo_cfg = directory.path().join("zoo.cfg");
        fs::write(&zoo_cfg, ZOO_CFG).unwrap();
        for version in [0x1_0000_0001, 0x1_0000_0005] {
            let members = Membership::parse("server.1=a:1:2\nserver.2=b:1:2").unwrap().with_version(version);
            save(&zoo_cfg, &members, false).unwrap();
            let place = directory.path().canonicalize().unwrap().join(format!("zoo.cfg.dynamic.{version:x}"));
            assert_eq!(fs::read_to_string(&place).unwrap(), members.lines());
            assert_eq!(fs::read_to_string(&zoo_cfg).unwrap(), rewritten(ZOO_CFG, &place, false));
            assert_eq!(fs::read_to_string(directory.path().join("zoo.cfg.bak")).unwrap(), ZOO_CFG);
        }
    }
}
