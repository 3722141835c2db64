//! The admin server's command `snapshot`: what this server has, in Apache's format (client.md section 20). And
//! `restore`, which is refused.

use std::sync::Mutex;
use std::time::Instant;

use serde_json::{Value, json};
use zabrus_core::Zxid;
use zabrus_core::auth;
use zabrus_core::wire::{Auth, Permissions};

use super::http::{Request, Response};
use super::serve::{busy, json_text};
use super::{Detail, Facts, Topic};
use crate::clock;
use crate::data;
use crate::data::ours::Place;
use crate::zoo_cfg::AdminSettings;

/// What the answer needs to know, and when the last one was given.
pub(super) struct Snapshots {
    /// Where the files of this server are.
    pub(super) place: Place,
    pub(super) last: Mutex<Option<Instant>>,
}

/// Apache's server would put the snapshot under itself alone, while the others of its ensemble and its clients go
/// on with what they were told.
const NO_RESTORE: &str = "nothing is restored under a running server, since it would take back what clients and other \
                          servers were told; stop all servers, move their data away, and run `zabrus restore` (a \
                          backup) or `zabrus import` (a snapshot as Apache writes it) on each";

/// The names and aliases of the commands that need an identity.
pub(super) fn find(name: &str) -> Option<&'static str> {
    match name {
        "snapshot" | "snap" => Some("snapshot"),
        "restore" | "rest" => Some("restore"),
        _ => None,
    }
}

/// The answer to one of them.
pub(super) fn answer(
    name: &'static str,
    admin: &AdminSettings,
    snapshots: &Snapshots,
    request: &Request,
    ask: &impl Fn(Topic) -> Option<Box<Facts>>,
) -> Response {
    let refuse = |status, error: Value| json_text(status, &json!({ "command": name, "error": error }));
    let Some(facts) = ask(Topic::Root) else { return busy() };
    if let Err((status, error)) = check(&facts, request) {
        return refuse(status, error.into());
    }
    if name == "restore" {
        return refuse(501, NO_RESTORE.into());
    }
    if !admin.snapshots {
        return refuse(503, Value::Null);
    }
    if request.posts {
        return Response::wrong_method();
    }
    let asked = request.query.split('&').find_map(|part| part.strip_prefix("streaming="));
    if asked.is_some_and(|value| !value.eq_ignore_ascii_case("true")) {
        return refuse(400, "this server writes its snapshots by itself: only streaming=true".into());
    }
    let Ok(mut last) = snapshots.last.try_lock() else { return refuse(429, Value::Null) };
    if last.is_some_and(|last| last.elapsed() < admin.snapshot_rest) {
        return refuse(429, Value::Null);
    }
    let applied = facts.replica.map_or(Zxid::ZERO, |replica| replica.status.applied.zxid);
    match data::snapshot_for_apache(&snapshots.place, applied) {
        Ok((zxid, bytes)) => {
            *last = Some(clock::monotonic());
            let headers =
                vec![("last_zxid", data::hexadecimal(zxid)), ("snapshot_size", bytes.len().to_string())];
            Response { headers, ..Response::new(200, "application/octet-stream", bytes) }
        }
        Err(error) => {
            tracing::warn!("no snapshot over HTTP: {error}");
            refuse(500, error.to_string().into())
        }
    }
}

/// Whether who asks may do everything to the root, as Apache's server wants it. There one permission is
/// enough; here all must be there.
fn check(facts: &Facts, request: &Request) -> Result<(), (u16, &'static str)> {
    let settings = &facts.settings.core.service;
    let Some(header) = &request.authorization else {
        return Err((401, "Auth info is missing for the command"));
    };
    let proved = header.split_once(' ').and_then(|(scheme, secret)| {
        let auth = Auth { kind: 0, scheme: scheme.into(), auth: Some(secret.as_bytes().into()) };
        auth::authenticate(settings, &request.from, &auth).ok()
    });
    let proved = proved.filter(|identities| auth::is_admitted(settings, identities));
    let identities = proved.ok_or((401, "Not authenticated"))?;
    let (Some(_), Detail::Root(acl)) = (facts.mode(), &facts.detail) else {
        return Err((503, "This ZooKeeper instance is not currently serving requests"));
    };
    let all =
        [Permissions::READ, Permissions::WRITE, Permissions::CREATE, Permissions::DELETE, Permissions::ADMIN];
    let may = |permission: &i32| auth::check(settings, acl, *permission, &identities).is_ok();
    if all.iter().all(may) { Ok(()) } else { Err((403, "Not authorized")) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tempfile::TempDir;
    use zabrus_core::event::Role;
    use zabrus_core::wire::{Acl, Id};

    use super::super::tests::{ALONE, facts};
    use super::*;
    use crate::disk::DataDirectory;
    use crate::zoo_cfg::for_test;

    /// A command for a server with an empty tree, whose root gives so much to one user and to everybody.
    struct Asked {
        admin: AdminSettings,
        snapshots: Snapshots,
        to_ann: i32,
        to_anyone: i32,
        _folder: TempDir,
    }

    impl Asked {
        fn new(settings: &str) -> Self {
            let folder = TempDir::new().expect("a folder");
            DataDirectory::open(folder.path(), folder.path(), true).expect("made");
            let place = Place::directory(folder.path()).expect("a directory");
            let text = format!("{ALONE}\nadmin.enableServer=true\n{settings}");
            let admin = for_test(&text, 1).admin.expect("on");
            let snapshots = Snapshots { place, last: Mutex::new(None) };
            Self { admin, snapshots, to_ann: 0, to_anyone: Permissions::ALL, _folder: folder }
        }

        fn ask(&self, name: &'static str, authorization: &str, query: &str) -> (Response, String) {
            let authorization = Some(authorization.to_owned()).filter(|header| !header.is_empty());
            let request =
                Request { authorization, query: query.into(), from: "127.0.0.1".into(), ..<_>::default() };
            let answer = answer(name, &self.admin, &self.snapshots, &request, &|_| {
                let mut facts = facts(ALONE, Role::Leading);
                let id = |scheme: &str, id: &str| Id { scheme: scheme.into(), id: id.into() };
                // The password is `secret`.
                let ann = id("digest", "ann:7RJfAeIvrl4zdj6sS2fXrQHDvHM=");
                let entries = [(self.to_ann, ann), (self.to_anyone, id("world", "anyone"))];
                facts.detail = Detail::Root(entries.map(|(perms, id)| Acl { perms, id }).into());
                Some(Box::new(facts))
            });
            let error = serde_json::from_slice(&answer.body).unwrap_or(json!({}))["error"].to_string();
            (answer, error)
        }

        #[track_caller]
        fn status(&self, authorization: &str) -> u16 {
            self.ask("snapshot", authorization, "").0.status
        }
    }

    #[test]
    fn a_snapshot_is_for_those_who_may_do_everything_to_the_root() {
        let mut asked = Asked::new("admin.rateLimiterIntervalInMS=0");
        let (missing, error) = asked.ask("snapshot", "", "");
        assert_eq!((missing.status, error.as_str()), (401, "\"Auth info is missing for the command\""));
        for header in ["nonsense", "nobody ann:secret", "digest"] {
            let (refused, error) = asked.ask("snapshot", header, "");
            assert_eq!((refused.status, error.as_str()), (401, "\"Not authenticated\""), "{header}");
        }
        assert_eq!(asked.status("digest whoever:x"), 200, "everybody may do everything to this root");
        (asked.to_anyone, asked.to_ann) = (Permissions::READ, Permissions::ALL);
        let (refused, error) = asked.ask("snapshot", "digest ann:wrong", "");
        assert_eq!((refused.status, error.as_str()), (403, "\"Not authorized\""));
        assert_eq!(asked.status("ip 127.0.0.1"), 403);
        let (given, _) = asked.ask("snapshot", "digest ann:secret", "streaming=true");
        assert_eq!((given.status, given.content_type), (200, "application/octet-stream"));
        assert!(given.body.starts_with(b"ZKSN"));
        let size = given.body.len().to_string();
        assert_eq!(given.headers, [("last_zxid", "0x0".to_owned()), ("snapshot_size", size)]);
    }

    #[test]
    fn a_restore_is_refused_with_the_command_that_does_it() {
        let mut asked = Asked::new("");
        assert_eq!(asked.ask("restore", "", "").0.status, 401);
        let (refused, error) = asked.ask("restore", "digest a:b", "");
        assert_eq!(refused.status, 501);
        assert!(error.contains("`zabrus restore`"), "{error}");
        asked.to_anyone = Permissions::READ;
        assert_eq!(asked.ask("restore", "digest a:b", "").0.status, 403);
    }

    #[test]
    fn what_is_switched_off_or_asked_too_often_is_refused_as_apache_refuses_it() {
        let asked = Asked::new("");
        assert_eq!(asked.status("digest a:b"), 200);
        let (again, error) = asked.ask("snapshot", "digest a:b", "");
        assert_eq!((again.status, error.as_str()), (429, "null"));
        assert!(asked.admin.snapshot_rest == Duration::from_secs(300));
        assert_eq!(asked.ask("snapshot", "digest a:b", "streaming=false").0.status, 400);
        assert_eq!(asked.ask("restore", "", "").0.status, 401);
        assert_eq!(Asked::new("admin.snapshot.enabled=false").status("digest a:b"), 503);
    }
}
