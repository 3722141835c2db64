//! The two HTTP ports: the admin server and the metrics.

use std::sync::{Mutex, mpsc};
use std::time::Duration;

use serde_json::{Value, json};

use super::commands::{self, COMMANDS, Command};
use super::http::{self, Request, Response};
use super::snapshot::{self, Snapshots};
use super::{Facts, Topic, metrics};
use crate::data::ours::Place;
use crate::node::{Notice, Notices};
use crate::zoo_cfg::{AdminSettings, HostPort, Settings};

/// A core thread that needs longer for an answer does not live.
const PATIENCE: Duration = Duration::from_secs(5);

/// Opens the ports that the settings name. One that cannot be opened is a warning: the service does
/// not depend on it, and by default all servers of a machine want the same one.
pub(crate) fn start(settings: &Settings, notices: &Notices) {
    if let Some(admin) = settings.admin.clone() {
        let (address, ask) = (admin.address.clone(), asking(notices));
        let snapshots = Snapshots { place: Place::of(settings), last: Mutex::new(None) };
        open("admin", "admin.serverPort", &address, move |request| {
            respond(&admin, &snapshots, request, &ask)
        });
    }
    if let Some(address) = &settings.metrics {
        let ask = asking(notices);
        open("metrics", "metricsProvider.httpPort", address, move |request| match &*request.path {
            _ if request.posts => Response::wrong_method(),
            "/metrics" => ask(Topic::Metrics).map_or_else(busy, |facts| {
                Response::new(200, "text/plain; version=0.0.4; charset=utf-8", metrics::prometheus(&facts))
            }),
            _ => Response::plain(404, "See /metrics.\n"),
        });
    }
}

fn open(
    name: &str,
    key: &str,
    address: &HostPort,
    respond: impl Fn(&Request) -> Response + Send + Sync + 'static,
) {
    match http::serve(address, name, respond) {
        Ok(_) => tracing::info!("{name}: HTTP on {address}"),
        Err(error) => tracing::warn!("{name}: nothing is served on {address} ({error}); see {key}"),
    }
}

/// How to ask the core thread. It says nothing if it does not live.
fn asking(notices: &Notices) -> impl Fn(Topic) -> Option<Box<Facts>> + Send + Sync + 'static {
    let notices = notices.clone();
    move |topic| {
        let (reply, answer) = mpsc::sync_channel(1);
        notices.send(Notice::Question(topic, reply));
        answer.recv_timeout(PATIENCE).ok()
    }
}

pub(super) fn busy() -> Response {
    Response::plain(503, "The server does not answer.\n")
}

fn respond(
    admin: &AdminSettings,
    snapshots: &Snapshots,
    request: &Request,
    ask: &impl Fn(Topic) -> Option<Box<Facts>>,
) -> Response {
    let path = request.path.trim_end_matches('/');
    let name = path.strip_prefix(admin.commands.as_str()).and_then(|rest| rest.strip_prefix('/'));
    if let Some(name) = name.and_then(snapshot::find) {
        if !admin.everything {
            return not_named(name);
        }
        return snapshot::answer(name, admin, snapshots, request, ask);
    }
    if request.posts {
        return Response::wrong_method();
    }
    if path == "/livez" || path == "/readyz" {
        return match ask(Topic::Server).map(|facts| facts.mode()) {
            None => busy(),
            Some(None) if path == "/readyz" => Response::plain(503, "not serving\n"),
            Some(_) => Response::plain(200, "ok\n"),
        };
    }
    let Some(name) = path.strip_prefix(admin.commands.as_str()) else {
        return Response::plain(404, format!("See {}, /livez and /readyz.\n", admin.commands));
    };
    match name.strip_prefix('/') {
        None if name.is_empty() => index(&admin.commands),
        None => Response::plain(404, format!("See {}.\n", admin.commands)),
        Some(name) => command(admin, name, ask),
    }
}

/// The names of all commands, as links.
fn index(base: &str) -> Response {
    let mut names: Vec<_> = COMMANDS.iter().map(|Command { name, .. }| *name).collect();
    names.extend(["snapshot", "restore"]);
    names.sort_unstable();
    let links = names.iter().map(|name| format!("<a href=\"{base}/{name}\">{name}</a><br/>\n"));
    Response::new(200, "text/html; charset=utf-8", links.collect::<String>())
}

fn command(admin: &AdminSettings, name: &str, ask: &impl Fn(Topic) -> Option<Box<Facts>>) -> Response {
    let Some(command) = commands::find(name) else {
        return json_text(200, &json!({ "command": name, "error": format!("Unknown command: {name}") }));
    };
    if command.delicate && !admin.everything {
        return not_named(command.name);
    }
    let Some(facts) = ask(command.topic) else { return busy() };
    json_text(200, &command.answer(&facts).into())
}

/// The file does not name the admin server, so not everything is for everybody.
fn not_named(command: &str) -> Response {
    let error = "it names sessions or paths or changes something, and zoo.cfg does not name the admin server: \
                 allow it with admin.enableServer=true";
    json_text(403, &json!({ "command": command, "error": error }))
}

/// Written as ZooKeeper writes it: `"key" : value`, for scripts that look for that.
pub(super) fn json_text(status: u16, value: &Value) -> Response {
    let mut body = String::new();
    for line in serde_json::to_string_pretty(value).expect("maps with text for keys are JSON").lines() {
        match line.split_once("\": ") {
            // A quote within a text has a backslash before it.
            Some((key, value)) if key.trim_start().len() > 1 && !key.ends_with('\\') => {
                body.extend([key, "\" : ", value, "\n"]);
            }
            _ => body.extend([line, "\n"]),
        }
    }
    Response::new(status, "application/json; charset=utf-8", body)
}

#[cfg(test)]
mod tests {
    use zabrus_core::event::Role;

    use super::super::tests::{ALONE, facts};
    use super::*;

    #[test]
    fn a_file_that_does_not_name_the_admin_server_opens_only_what_is_harmless() {
        let address = HostPort { host: "0.0.0.0".into(), port: 8_080 };
        let snapshot_rest = Duration::ZERO;
        let (everything, snapshots) = (false, true);
        let mut admin =
            AdminSettings { address, commands: "/commands".into(), everything, snapshots, snapshot_rest };
        let place = Place::directory(std::path::Path::new("/nowhere")).expect("nobody looks");
        let none = Snapshots { place, last: Mutex::new(None) };
        let request = |path: &str| Request { path: path.into(), ..Request::default() };
        let answer = |admin: &AdminSettings, path: &str| {
            respond(admin, &none, &request(path), &|_| Some(Box::new(facts(ALONE, Role::Leading)))).status
        };
        for path in ["/commands", "/commands/ruok", "/commands/mntr", "/commands/stat", "/livez", "/readyz/"]
        {
            assert_eq!(answer(&admin, path), 200, "{path}");
        }
        for path in ["cons", "dump", "wchc", "watches_by_path", "hash", "icfg", "srst", "snap", "restore"] {
            assert_eq!(answer(&admin, &format!("/commands/{path}")), 403, "{path}");
        }
        admin.everything = true;
        assert_eq!(answer(&admin, "/commands/cons"), 200);
        admin.commands = "/elsewhere".into();
        assert_eq!((answer(&admin, "/commands/ruok"), answer(&admin, "/elsewhere/ruok")), (404, 200));
        assert_eq!(answer(&admin, "/elsewhereruok"), 404);
        assert_eq!(
            respond(&admin, &none, &request("/livez"), &|_| None).status,
            503,
            "the core thread is dead"
        );
    }

    #[test]
    fn json_is_written_as_zookeeper_writes_it() {
        let value = json!({ "a": null, "b": { "c\": d": ["x\": y"] }, "e": "\": f" });
        let text = String::from_utf8(json_text(200, &value).body).expect("JSON");
        assert!(text.starts_with("{\n  \"a\" : null,\n  \"b\" : {\n"), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).expect("JSON"), value);
    }
}
