//! Runs tests on clusters, with libtest's options and output.
//!
//! Tests on a shared cluster get it started when the first of them runs, and ended after the last.
//! Serial ones have it to themselves; parallel ones may run beside each other.

use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use anyhow::Result;
use libtest_mimic::{Arguments, Failed, Trial};
use signpost_e2e::faults::{Arena, Fault};
use signpost_e2e::{Cluster, ClusterOptions};
use tokio::runtime::Runtime;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What faults' choices follow from: tests make the same ones every time.
const SEED: u64 = 1;

/// A test's name, for the summary: its function's, without modules.
macro_rules! named {
    ($test:path) => {
        ($crate::suite::last_segment(stringify!($test)), $test)
    };
}
pub(crate) use named;

pub(crate) fn last_segment(path: &'static str) -> &'static str {
    path.rsplit("::").next().unwrap_or(path).trim()
}

/// All tests, in the order in which they begin.
pub(crate) struct Suite {
    arguments: Arguments,
    runtime: Arc<Runtime>,
    trials: Vec<Trial>,
    /// How many clusters may stand at once.
    room: Arc<Semaphore>,
}

impl Suite {
    pub(crate) fn new(runtime: Runtime) -> Self {
        let runtime = Arc::new(runtime);
        signpost_e2e::end_on_signals(&runtime);
        // More cores run more at once; memory is the other bound, at one to two gigabytes each.
        let room = std::thread::available_parallelism()
            .map_or(2, usize::from)
            .clamp(2, 4);
        Self {
            arguments: Arguments::from_args(),
            runtime,
            trials: Vec::new(),
            room: Arc::new(Semaphore::new(room)),
        }
    }

    /// A test that starts what clusters it needs itself.
    pub(crate) fn alone(
        &mut self,
        (name, test): (&str, impl AsyncFn() -> Result<()> + Send + 'static),
    ) {
        let (runtime, room) = (Arc::clone(&self.runtime), Arc::clone(&self.room));
        let trial = Trial::test(name, move || {
            let ended = runtime.block_on(async {
                let _permit = room.acquire().await;
                test().await
            });
            ended.map_err(|error| format!("{error:#}").into())
        });
        self.trials.push(trial);
    }

    /// Two arenas in which each of these faults is a test of its own, in turn in the one and the other.
    pub(crate) fn arenas(&mut self, names: [&'static str; 2], faults: Vec<&'static Fault>) {
        let arenas = names.map(|name| {
            Arc::new(SharedArena {
                name,
                arena: Mutex::new(None),
                remaining: AtomicUsize::new(0),
            })
        });
        for (fault, shared) in faults.into_iter().zip(arenas.iter().cycle()) {
            let (runtime, room) = (Arc::clone(&self.runtime), Arc::clone(&self.room));
            let arena = Arc::clone(shared);
            let trial = Trial::test(format!("fault_{}", fault.name), move || {
                let ended = arena.run(&runtime, &room, fault);
                ended.map_err(|error| format!("{error:#}").into())
            });
            if !self.arguments.is_filtered_out(&trial) && !self.arguments.list {
                shared.remaining.fetch_add(1, Ordering::Relaxed);
            }
            self.trials.push(trial);
        }
    }

    /// A cluster for several tests.
    pub(crate) fn shared(&mut self, options: ClusterOptions) -> Group<'_> {
        let shared = Arc::new(Shared {
            options,
            started: Mutex::new(Started::NotYet),
            turn: RwLock::new(()),
            remaining: AtomicUsize::new(0),
        });
        Group {
            suite: self,
            shared,
        }
    }

    /// Runs what the command line selects, and prints the summary.
    pub(crate) fn run(self) -> ExitCode {
        let conclusion = libtest_mimic::run(&self.arguments, self.trials);
        signpost_e2e::keeper::end_all();
        conclusion.exit_code()
    }
}

/// Tests on one shared cluster.
pub(crate) struct Group<'a> {
    suite: &'a mut Suite,
    shared: Arc<Shared>,
}

impl Group<'_> {
    /// A test that changes what others rely on, such as nodes or the `PodNetwork`.
    pub(crate) fn serial(
        self,
        (name, test): (&str, impl AsyncFn(&Cluster) -> Result<()> + Send + 'static),
    ) -> Self {
        self.add(name, true, test)
    }

    /// A test that only adds things of its own, under names of its own.
    pub(crate) fn parallel(
        self,
        (name, test): (&str, impl AsyncFn(&Cluster) -> Result<()> + Send + 'static),
    ) -> Self {
        self.add(name, false, test)
    }

    fn add(
        self,
        name: &str,
        serial: bool,
        test: impl AsyncFn(&Cluster) -> Result<()> + Send + 'static,
    ) -> Self {
        let shared = Arc::clone(&self.shared);
        let (runtime, room) = (
            Arc::clone(&self.suite.runtime),
            Arc::clone(&self.suite.room),
        );
        let trial = Trial::test(name, move || {
            let _last_ends_it = Leave(&shared);
            let run = || shared.run(&runtime, &room, &test);
            if serial {
                let _turn = shared.turn.write().unwrap_or_else(PoisonError::into_inner);
                run()
            } else {
                let _turn = shared.turn.read().unwrap_or_else(PoisonError::into_inner);
                run()
            }
        });
        let arguments = &self.suite.arguments;
        if !arguments.is_filtered_out(&trial) && !arguments.list {
            self.shared.remaining.fetch_add(1, Ordering::Relaxed);
        }
        self.suite.trials.push(trial);
        self
    }
}

/// An arena, started when it is needed: by the first of its tests, and anew after one that failed.
struct SharedArena {
    name: &'static str,
    arena: Mutex<Option<(Arena, OwnedSemaphorePermit)>>,
    /// Selected tests that have not ended.
    remaining: AtomicUsize,
}

impl SharedArena {
    fn run(&self, runtime: &Runtime, room: &Arc<Semaphore>, fault: &Fault) -> Result<()> {
        let mut place = self.arena.lock().unwrap_or_else(PoisonError::into_inner);
        let last = self.remaining.fetch_sub(1, Ordering::AcqRel) == 1;
        runtime.block_on(async {
            let (mut arena, permit) = if let Some(running) = place.take() {
                running
            } else {
                let permit = Arc::clone(room).acquire_owned().await?;
                (Arena::start(self.name).await?, permit)
            };
            let round = arena.round(fault, SEED).await;
            match round.and_then(|round| round.nothing_lost()) {
                Ok(()) => {
                    *place = (!last).then_some((arena, permit));
                    Ok(())
                }
                Err(error) => {
                    let logs = arena.record_failure().await;
                    let logs = logs.display();
                    Err(error.context(format!("logs, once the cluster has ended: {logs}")))
                }
            }
        })
    }
}

struct Shared {
    options: ClusterOptions,
    started: Mutex<Started>,
    turn: RwLock<()>,
    /// Selected tests that have not ended.
    remaining: AtomicUsize,
}

enum Started {
    NotYet,
    Running(
        Arc<Cluster>,
        #[expect(dead_code, reason = "held")] OwnedSemaphorePermit,
    ),
    Failed,
}

impl Shared {
    fn run(
        &self,
        runtime: &Runtime,
        room: &Arc<Semaphore>,
        test: &impl AsyncFn(&Cluster) -> Result<()>,
    ) -> Result<(), Failed> {
        let cluster = self.cluster(runtime, room)?;
        let caught = std::panic::catch_unwind(AssertUnwindSafe(|| {
            runtime
                .block_on(test(&cluster))
                .map_err(|error| format!("{error:#}"))
        }));
        let message = match caught {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(message)) => message,
            Err(panic) => panic_message(panic.as_ref()),
        };
        let logs = runtime.block_on(cluster.record_failure());
        Err(format!(
            "{message}\nlogs, once the cluster has ended: {}",
            logs.display()
        )
        .into())
    }

    fn cluster(&self, runtime: &Runtime, room: &Arc<Semaphore>) -> Result<Arc<Cluster>, Failed> {
        let mut started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        match &*started {
            Started::Running(cluster, _) => return Ok(Arc::clone(cluster)),
            Started::Failed => return Err("the shared cluster did not start".into()),
            Started::NotYet => {}
        }
        let start = async {
            let permit = Arc::clone(room).acquire_owned().await?;
            anyhow::Ok((Cluster::start(self.options.clone()).await?, permit))
        };
        match runtime.block_on(start) {
            Ok((cluster, permit)) => {
                let cluster = Arc::new(cluster);
                *started = Started::Running(Arc::clone(&cluster), permit);
                Ok(cluster)
            }
            Err(error) => {
                *started = Started::Failed;
                Err(format!("{error:#}").into())
            }
        }
    }
}

/// Ends the shared cluster when the last of its tests has ended, however it did.
struct Leave<'a>(&'a Shared);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        if self.0.remaining.fetch_sub(1, Ordering::AcqRel) == 1 {
            let mut started = self
                .0
                .started
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            *started = Started::Failed;
        }
    }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!(
        "panicked: {}",
        text.unwrap_or_else(|| "without a message".into())
    )
}
