//! Builds everything, owns every task, and shuts down in order: no new requests, streams get their grace, every attempt
//! is settled, local servers stop, the ledger closes.

mod announce;
mod balance;
mod books;
mod compaction;
mod fleet;
mod forecasts;
mod holds;
mod introduce;
mod meters;
mod outbox;
mod past;
mod plans;
mod prices;
mod probes;
pub mod projection;
mod providers;
mod ratios;
mod refusals;
mod reload;
mod restore;
mod signals;
mod soundness;
pub mod state_dir;
mod stops;
mod telling;
mod terms;
mod tick;
mod users;

use crate::clock::Clock;
use crate::control::{self, AdminToken, Control};
use crate::fleet::{Call, FleetError};
use crate::gateway::accept::{Front, accept};
use crate::gateway::guard::AllowedHosts;
use crate::gateway::{Gateway, Mirrors};
use crate::ledger::record::PolicyRecord;
use crate::ledger::{self, Ledger, LedgerError};
use crate::live::Policy;
use crate::policy::Diagnostic;
use crate::policy::snapshot::Snapshot;
use crate::policy::{Compiled, compile};
use crate::session::Keyer;
use crate::telemetry::Metrics;
use crate::upstream::connect::{ClientError, Connections};
use crate::upstream::credentials::Credentials;
use crate::upstream::local::LocalServers;
use crate::watch::{Change, Changes, ReadError, Watch, read_sources};
use announce::Announcer;
use projection::Projector;
use reload::Reloader;
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use state_dir::{Address, StateDir, StateError};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use stops::Stops;
use telling::Teller;
use tick::Ticker;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::Receiver;
use tokio::sync::{Mutex, Notify};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What streams get to end by themselves after a signal to stop.
const GRACE: Duration = Duration::from_secs(10);
/// What is cut off then has this long to settle.
const SETTLE: Duration = Duration::from_secs(2);

/// How the daemon is run; everything else is policy.
#[derive(Clone, Debug)]
pub struct Options {
    /// `None`: the built-in quickstart.
    pub policy: Option<PathBuf>,
    pub listen: SocketAddr,
    pub state: PathBuf,
    pub allowed_hosts: Vec<String>,
    /// Budgets are shared with other daemons.
    pub fleet: Option<FleetOptions>,
    /// Months whose attempts are kept one by one; all of them where nobody says.
    pub keep: Option<u32>,
}

/// Which fleet, and where its store is.
#[derive(Clone)]
pub struct FleetOptions {
    pub name: Arc<str>,
    /// May hold a password.
    pub url: String,
}

impl std::fmt::Debug for FleetOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "fleet {}", self.name)
    }
}

#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Source(#[from] ReadError),
    #[error("the policy's files cannot be watched: {0}")]
    Watch(std::io::Error),
    #[error("the policy has errors")]
    Policy(Vec<Diagnostic>),
    #[error(
        "refusing to listen on {0}: off this machine's loopback every caller needs a key, and the policy has no `clients`"
    )]
    Exposed(SocketAddr),
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, std::io::Error),
    #[error("the admin token cannot be used: {0}")]
    Token(std::io::Error),
    #[error("the key that hides users cannot be used: {0}")]
    Users(std::io::Error),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Fleet(#[from] FleetError),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("signals cannot be received: {0}")]
    Signals(std::io::Error),
}

/// Under which conversations and repeated requests are hashed: the state directory's own, so that a run is the same one
/// over a restart.
fn secret(token: &AdminToken) -> [u8; 32] {
    let of = Sha256::new_with_prefix(b"planb conversations\0").chain_update(token.secret().expose_secret());
    of.finalize().into()
}

/// Runs until a signal says to stop. `ready` is told the address once requests are served.
pub async fn run(options: Options, ready: impl FnOnce(&str)) -> Result<(), DaemonError> {
    // Before the first read, so that no edit falls between the two.
    let watching = Watch::start(options.policy.clone()).map_err(DaemonError::Watch)?;
    let compiled = first_policy(options.policy.as_deref())?;
    if let Some(error) = exposed(options.listen, &compiled.snapshot) {
        return Err(error);
    }
    let state = StateDir::open(&options.state)?;
    let listener = TcpListener::bind(options.listen)
        .await
        .map_err(|error| DaemonError::Listen(options.listen, error))?;
    let address = listener
        .local_addr()
        .map_err(|error| DaemonError::Listen(options.listen, error))?;
    let daemon = Daemon::build(&options, compiled.snapshot, &state).await?;
    let url = format!("http://{address}");
    introduce::introduce(&daemon.gateway.live.policy(), &options, &url);
    state.publish(&Address {
        url: url.clone(),
        pid: std::process::id(),
    })?;
    daemon.serve(listener, &options, watching, || ready(&url)).await?;
    state.withdraw();
    Ok(())
}

/// Off loopback every caller needs a key, at the start and after every edit.
fn exposed(listen: SocketAddr, snapshot: &Snapshot) -> Option<DaemonError> {
    let open = !listen.ip().to_canonical().is_loopback() && snapshot.clients.is_empty();
    open.then_some(DaemonError::Exposed(listen))
}

/// Reads and compiles; warnings are logged.
fn first_policy(path: Option<&Path>) -> Result<Compiled, DaemonError> {
    let sources = read_sources(path)?;
    let compiled = compile(&sources, Clock::start().now()).map_err(DaemonError::Policy)?;
    for warning in &compiled.warnings {
        tracing::warn!("policy\n{warning}");
    }
    Ok(compiled)
}

struct Daemon {
    gateway: Arc<Gateway>,
    announcer: Arc<Announcer>,
    control: Arc<Control>,
    /// What the fleet's store has to say unasked.
    calls: Option<Receiver<Call>>,
    stop: CancellationToken,
}

impl Daemon {
    async fn build(options: &Options, snapshot: Snapshot, state: &StateDir) -> Result<Self, DaemonError> {
        let clock = Clock::start();
        let token = AdminToken::open(state.path()).map_err(DaemonError::Token)?;
        let (ledger, opening) = Ledger::open(&state.path().join(ledger::FILE_NAME), clock.now())?;
        for lost in &opening.unaccounted {
            tracing::warn!(budget = lost.budget, amount = %lost.amount, currency = lost.currency, "held as unaccounted after a crash");
        }
        let (live, rebuilds) = restore::restored(&ledger, snapshot, clock).await?;
        let connections = Arc::new(Connections::new()?);
        let policy = live.policy();
        let credentials = Arc::new(Credentials::default());
        credentials.track(reload::references(&policy.snapshot));
        let locals = Arc::new(LocalServers::new(state.path().to_owned(), connections.clone()));
        locals.sync(reload::local_specs(&policy.snapshot), &credentials.variables());
        let metrics = Arc::new(Metrics::default());
        record_policy(&ledger, &policy).await;
        let (fleet, calls) = match &options.fleet {
            None => (None, None),
            Some(options) => {
                if let Some(error) = fleet::unshareable(&policy.snapshot) {
                    return Err(error.into());
                }
                let (fleet, calls) = fleet::join(options, &ledger, &policy, clock).await?;
                live.books.lock().join_fleet();
                (Some(Arc::new(fleet)), Some(calls))
            }
        };
        let gateway = Arc::new(Gateway {
            live: live.clone(),
            ledger: ledger.clone(),
            credentials: credentials.clone(),
            connections,
            locals,
            metrics: metrics.clone(),
            clock,
            keyer: Keyer::new(secret(&token)),
            users: users::keyer(state.path()).map_err(DaemonError::Users)?,
            leasing: Arc::default(),
            lines: crate::gateway::wait::Lines::default(),
            lease_ahead: Notify::new(),
            fleet,
            sharing: Mutex::new(()),
            share_ahead: Notify::new(),
            share_freed: Notify::new(),
            mirrors: Mirrors::default(),
            tasks: TaskTracker::new(),
            cut: CancellationToken::new(),
        });
        reload::tell_shared_keys(&gateway);
        // Nothing has failed yet, so that there is no outage to tell.
        let _ = providers::refresh(&gateway, &policy);
        meters::find(&gateway).await;
        users::refresh(&gateway).await;
        books::rebuild(&gateway, rebuilds).await;
        let announcer = Arc::new(Announcer {
            live: live.clone(),
            ledger: ledger.clone(),
        });
        let control = Arc::new(Control {
            live,
            ledger,
            fleet: gateway.fleet.clone(),
            metrics,
            clock,
            token,
            credentials,
            ready: AtomicBool::new(false),
            reload: Arc::new(Notify::new()),
            overridden: Arc::new(Notify::new()),
        });
        tracing::debug!(state = %options.state.display(), "built");
        Ok(Self {
            gateway,
            announcer,
            control,
            calls,
            stop: CancellationToken::new(),
        })
    }

    async fn serve(
        mut self,
        listener: TcpListener,
        options: &Options,
        watching: (Watch, Changes),
        ready: impl FnOnce(),
    ) -> Result<(), DaemonError> {
        let (tasks, connections) = (TaskTracker::new(), TaskTracker::new());
        let (edits, told) = tokio::sync::mpsc::channel(projection::PLACES);
        let projector = Projector::new(self.gateway.clone(), self.announcer.clone(), self.stop.clone());
        tasks.spawn(projector.run(told));
        let reloader = Reloader {
            gateway: self.gateway.clone(),
            announcer: self.announcer.clone(),
            path: options.policy.clone(),
            listen: options.listen,
            shares: options.fleet.is_some(),
            edits,
        };
        // Before anybody is told that the daemon is there: a signal is answered from then on.
        let hangups = signal(SignalKind::hangup()).map_err(DaemonError::Signals)?;
        let mut stops = Stops::listen().map_err(DaemonError::Signals)?;
        tasks.spawn(follow(
            reloader,
            watching,
            hangups,
            self.control.reload.clone(),
            self.stop.clone(),
        ));
        let teller = self.gateway.fleet.clone().map(|fleet| {
            let (teller, events) = Teller::new();
            tasks.spawn(telling::run(fleet, self.announcer.clone(), events, self.stop.clone()));
            teller
        });
        let ticker = Ticker {
            gateway: self.gateway.clone(),
            announcer: self.announcer.clone(),
            overridden: self.control.overridden.clone(),
            teller,
            told: terms::Told::default(),
            sound: soundness::Told::default(),
            foretold: forecasts::Told::default(),
            ratios: ratios::Kept::default(),
            held: parking_lot::Mutex::default(),
        };
        tasks.spawn(ticker.run(self.stop.clone()));
        if let Some(calls) = self.calls.take() {
            let exchanger = fleet::Exchanger::new(self.gateway.clone(), calls);
            tasks.spawn(exchanger.run(self.stop.clone()));
        }
        self.keep_house(&tasks, options);
        let front = Arc::new(Front {
            gateway: self.gateway.clone(),
            control: control::router(self.control.clone()),
            hosts: AllowedHosts(options.allowed_hosts.clone()),
            connections: connections.clone(),
        });
        let accepting = tasks.spawn(accept(listener, front, self.stop.clone()));
        self.warm_up_when_nothing_else_is_usable();
        self.control.ready.store(true, Ordering::Relaxed);
        ready();
        stops.next().await;
        self.shut_down(&tasks, &connections, accepting, &mut stops).await;
        Ok(())
    }

    /// What goes on beside the requests, until the stop.
    fn keep_house(&self, tasks: &TaskTracker, options: &Options) {
        let (gateway, stop) = (&self.gateway, &self.stop);
        tasks.spawn(books::lease_ahead(gateway.clone(), stop.clone()));
        if let Some(months) = options.keep {
            tasks.spawn(compaction::run(gateway.clone(), months, stop.clone()));
        }
        tasks.spawn(holds::release(gateway.clone(), stop.clone()));
        tasks.spawn(probes::run(gateway.clone(), stop.clone()));
        tasks.spawn(balance::run(gateway.clone(), stop.clone()));
        tasks.spawn(users::follow(gateway.clone(), stop.clone()));
        tasks.spawn(prices::follow(gateway.clone(), stop.clone()));
        tasks.spawn(outbox::run(gateway.clone(), stop.clone()));
    }

    /// Plan B must not be cold when it is the only one.
    fn warm_up_when_nothing_else_is_usable(&self) {
        let policy = self.gateway.live.policy();
        let usable = |live: &crate::live::ProviderLive| live.is_up() && !live.is_cold();
        if policy.providers.iter().any(usable) {
            return;
        }
        for (provider, _) in policy
            .snapshot
            .providers
            .iter()
            .zip(policy.providers.iter())
            .filter(|(_, live)| live.is_cold())
        {
            tracing::info!(
                provider = &*provider.name,
                "no other provider is usable: starting the local server"
            );
            self.gateway.locals.ensure(&provider.name);
        }
    }

    async fn shut_down(
        &self,
        tasks: &TaskTracker,
        connections: &TaskTracker,
        accepting: tokio::task::JoinHandle<()>,
        stops: &mut Stops,
    ) {
        tracing::info!("stopping");
        self.control.ready.store(false, Ordering::Relaxed);
        self.stop.cancel();
        // Its end closes the listener.
        let _ = accepting.await;
        connections.close();
        self.gateway.mirrors.close();
        self.gateway.tasks.close();
        let ended = async {
            tokio::join!(connections.wait(), self.gateway.tasks.wait());
        };
        let mut ended = std::pin::pin!(ended);
        let in_order = tokio::select! {
            () = &mut ended => true,
            () = tokio::time::sleep(GRACE) => false,
            () = stops.next() => false,
        };
        if !in_order {
            tracing::warn!("requests still under way are cut off");
            self.gateway.cut.cancel();
            // Each settles as it is dropped, and the ledger is closed after the last.
            let _ = tokio::time::timeout(SETTLE, ended).await;
        }
        // Nobody is left who would be kept waiting by a copy's answer.
        let _ = tokio::time::timeout(SETTLE, self.gateway.mirrors.cut()).await;
        tasks.close();
        tasks.wait().await;
        self.gateway.locals.shutdown().await;
        fleet::leave(&self.gateway).await;
        let refused = self.gateway.live.refusals.lock().take_all(self.gateway.clock.uptime());
        refusals::tell(&self.gateway.ledger, refused).await;
        ratios::keep(&self.gateway).await;
        let open = self.gateway.live.books.lock().open_reservations();
        let closed = if open == 0 {
            self.gateway.ledger.close().await
        } else {
            tracing::warn!(
                open,
                "attempts could not be settled; what their leases have left is held at the next start"
            );
            self.gateway.ledger.close_unsettled().await
        };
        if let Err(error) = closed {
            tracing::error!(%error, "the ledger could not be closed in order");
        }
    }
}

async fn record_policy(ledger: &Ledger, policy: &Policy) {
    let record = PolicyRecord {
        hash: policy.snapshot.hash.clone(),
        text: policy.snapshot.text.clone(),
        origin: policy.snapshot.origin.clone(),
        since: policy.since,
    };
    if let Err(error) = ledger.policy_in_force(record).await {
        tracing::error!(%error, "the policy in force could not be recorded");
    }
}

/// Follows the policy's files and its credentials' files.
async fn follow(
    reloader: Reloader,
    (watch, mut changes): (Watch, Changes),
    mut hangups: Signal,
    asked: Arc<Notify>,
    stop: CancellationToken,
) {
    loop {
        watch.set_credentials(reloader.gateway.credentials.files());
        // Read after the watch began, so that no write falls between the two.
        reloader.refresh_credentials().await;
        let change = tokio::select! {
            () = stop.cancelled() => return,
            _ = hangups.recv() => Change::Policy,
            () = asked.notified() => Change::Policy,
            Some(change) = changes.next() => change,
        };
        if change == Change::Policy {
            reloader.reload().await;
        }
    }
}
