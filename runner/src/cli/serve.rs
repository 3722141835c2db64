//! `zabrus start-foreground`.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::{Done, load};
use crate::node::{Node, Notice, Notices};
use crate::operator;
use crate::zoo_cfg::HostPort;

/// Runs a server until a signal ends it.
pub(super) fn serve(file: &Path, json: bool, with_parent: bool) -> Done {
    if with_parent {
        // Without it an ensemble whose first process is killed would leave its servers behind.
        let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM));
    }
    let settings = Arc::new(load(file)?);
    // Nobody waits for who reads the log: what a stalled reader leaves no room for is lost.
    let (writer, _flushed_at_the_end) = tracing_appender::non_blocking(std::io::stdout());
    let log = tracing_subscriber::fmt().with_writer(writer);
    let log = log.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stdout()));
    // To complain on standard error that a line could not be written would be a panic where that is the same full
    // disk or the same closed pipe. The server goes on without its log.
    let log = log.log_internal_errors(false);
    let log = log.with_target(false).with_max_level(tracing::Level::INFO);
    if json {
        log.json().init();
    } else {
        log.init();
    }
    raise_file_limit();
    let complain = |error: &dyn std::fmt::Display| {
        tracing::error!("this server cannot run: {error}");
        ExitCode::FAILURE
    };
    let offer = super::data::import_offer(&settings, file);
    let node = Node::start(Arc::clone(&settings)).map_err(|error| {
        let code = complain(&error);
        if let Some(offer) = offer {
            tracing::error!("{offer}");
        }
        code
    })?;
    let (HostPort { host, port }, id) = (&settings.client.address, settings.core.id);
    tracing::info!("server {id} of {} serves clients on {host}:{port}", file.display());
    operator::serve::start(&settings, &node.notices());
    stop_on_signals(node.notices()).map_err(|error| complain(&error))?;
    node.run().map_err(|error| complain(&error))?;
    tracing::info!("stopped");
    Ok(())
}

/// A connection is an open file. As Java does, this takes what the system allows, and not what it gives
/// to programs that do not ask.
fn raise_file_limit() {
    let most = getrlimit(Resource::Nofile).maximum;
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most }) {
        tracing::warn!(%error, "the limit of open files cannot be raised");
    }
}

fn stop_on_signals(notices: Notices) -> std::io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    thread::Builder::new().name("signals".into()).spawn(move || {
        for _ in signals.forever() {
            notices.send(Notice::Stop);
        }
    })?;
    Ok(())
}
