//! The two HTTP ports: the admin server and the metrics.

use std::sync::mpsc;
use std::time::Duration;

use serde_json::{Value, json};

use super::commands::{self, COMMANDS, Command};
use super::http::{self, Response};
use super::{Facts, Topic, metrics};
use crate::node::{Notice, Notices};
use crate::zoo_cfg::{AdminSettings, HostPort, Settings};

/// A core thread that needs longer for an answer does not live.
const PATIENCE: Duration = Duration::from_secs(5);

/// Opens the ports that the settings name. One that cannot be opened is a warning: the service does
/// not depend on it, and by default all servers of a machine want the same one.
pub(crate) fn start(settings: &Settings, notices: &Notices) {
    if let Some(admin) = settings.admin.clone() {
        let (address, ask) = (admin.address.clone(), asking(notices));
        open("admin", "admin.serverPort", &address, move |path| respond(&admin, path, &ask));
    }
    if let Some(address) = &settings.metrics {
        let ask = asking(notices);
        open("metrics", "metricsProvider.httpPort", address, move |path| match path {
            "/metrics" => match ask(Topic::Metrics) {
                Some(facts) => Response {
                    status: 200,
                    content_type: "text/plain; version=0.0.4; charset=utf-8",
                    body: metrics::prometheus(&facts),
                },
                None => busy(),
            },
            _ => Response::plain(404, "See /metrics.\n"),
        });
    }
}

fn open(
    name: &str,
    key: &str,
    address: &HostPort,
    respond: impl Fn(&str) -> Response + Send + Sync + 'static,
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

fn busy() -> Response {
    Response::plain(503, "The server does not answer.\n")
}

fn respond(admin: &AdminSettings, path: &str, ask: &impl Fn(Topic) -> Option<Box<Facts>>) -> Response {
    let path = path.trim_end_matches('/');
    if path == "/livez" || path == "/readyz" {
        return match ask(Topic::Server).map(|facts| facts.mode()) {
            None => busy(),
            Some(None | Some("read-only")) if path == "/readyz" => Response::plain(503, "not serving\n"),
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
    let link = |Command { name, .. }: &Command| format!("<a href=\"{base}/{name}\">{name}</a><br/>\n");
    let body = COMMANDS.iter().map(link).collect();
    Response { status: 200, content_type: "text/html; charset=utf-8", body }
}

fn command(admin: &AdminSettings, name: &str, ask: &impl Fn(Topic) -> Option<Box<Facts>>) -> Response {
    if matches!(name, "snapshot" | "snap" | "restore" | "rest") {
        let error = "snapshots are neither made nor restored over HTTP";
        return json_text(503, &json!({ "command": name, "error": error }));
    }
    let Some(command) = commands::find(name) else {
        return json_text(200, &json!({ "command": name, "error": format!("Unknown command: {name}") }));
    };
    if command.delicate && !admin.everything {
        let error = "it names sessions or paths or changes something, and zoo.cfg does not name the admin \
                     server: allow it with admin.enableServer=true";
        return json_text(403, &command.refuse(error.into()).into());
    }
    let Some(facts) = ask(command.topic) else { return busy() };
    json_text(200, &command.answer(&facts).into())
}

/// Written as ZooKeeper writes it: `"key" : value`, for scripts that look for that.
fn json_text(status: u16, value: &Value) -> Response {
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
    Response { status, content_type: "application/json; charset=utf-8", body }
}

#[cfg(test)]
mod tests {
    use zabrus_core::event::Role;

    use super::super::tests::{ALONE, facts};
    use super::*;

    #[test]
    fn a_file_that_does_not_name_the_admin_server_opens_only_what_is_harmless() {
        let address = HostPort { host: "0.0.0.0".into(), port: 8_080 };
        let mut admin = AdminSettings { address, commands: "/commands".into(), everything: false };
        let answer = |admin: &AdminSettings, path: &str| {
            respond(admin, path, &|_| Some(Box::new(facts(ALONE, Role::Leading)))).status
        };
        for path in ["/commands", "/commands/ruok", "/commands/mntr", "/commands/stat", "/livez", "/readyz/"]
        {
            assert_eq!(answer(&admin, path), 200, "{path}");
        }
        for path in
            ["cons", "dump", "wchc", "watches_by_path", "hash", "icfg", "srst", "connection_stat_reset"]
        {
            assert_eq!(answer(&admin, &format!("/commands/{path}")), 403, "{path}");
        }
        admin.everything = true;
        assert_eq!(answer(&admin, "/commands/cons"), 200);
        admin.commands = "/elsewhere".into();
        assert_eq!((answer(&admin, "/commands/ruok"), answer(&admin, "/elsewhere/ruok")), (404, 200));
        assert_eq!(answer(&admin, "/elsewhereruok"), 404);
        assert_eq!(respond(&admin, "/livez", &|_| None).status, 503, "the core thread is dead");
    }

    #[test]
    fn json_is_written_as_zookeeper_writes_it() {
        let value = json!({ "a": null, "b": { "c\": d": ["x\": y"] }, "e": "\": f" });
        let text = json_text(200, &value).body;
        assert!(text.starts_with("{\n  \"a\" : null,\n  \"b\" : {\n"), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).expect("JSON"), value);
    }
}
