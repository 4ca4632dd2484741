//! Many faults one after the other, as a seed chooses.
#![allow(clippy::print_stdout, reason = "it is watched while it goes on")]

use std::io::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::{Arena, Fault, Round, all};

/// Runs `rounds` faults on one cluster: all in an order that follows from the seed, then all in another
/// order, and so on; with names only those. The choices of round *n* follow from `seed` + *n*.
///
/// Prints a line for each round and a summary by fault, and fails at the first round after which
/// something is not as it has to be.
pub async fn run(rounds: u64, seed: u64, only: &[String]) -> Result<()> {
    let faults: Vec<&Fault> = all()
        .into_iter()
        .filter(|fault| only.is_empty() || only.iter().any(|name| name == fault.name))
        .collect();
    if faults.is_empty() {
        let names: Vec<&str> = all().iter().map(|fault| fault.name).collect();
        bail!(
            "there is no such fault. Remedy: name one of {}",
            names.join(", ")
        );
    }
    println!("starting a cluster; {rounds} rounds from seed {seed} follow");
    let begin = Instant::now();
    let mut arena = Arena::start("chaos").await?;
    println!("at rest after {:.1} s\n", begin.elapsed().as_secs_f32());

    let mut order = Vec::new();
    let mut ended = Vec::new();
    let mut failure = None;
    for number in 0..rounds {
        let seed = seed.wrapping_add(number);
        if order.is_empty() {
            order.clone_from(&faults);
            fastrand::Rng::with_seed(seed).shuffle(&mut order);
        }
        let Some(fault) = order.pop() else { break };
        print!(
            "{:>4}/{rounds}  seed {seed:<6} {:<30}",
            number + 1,
            fault.name
        );
        std::io::stdout().flush()?;
        let round = arena.round(fault, seed).await;
        let lost = round.as_ref().map_or(Ok(()), Round::nothing_lost);
        if let Ok(round) = &round {
            println!("{}", outcome(round));
            ended.push(round.clone());
        }
        if let Err(error) = round.map(drop).and(lost) {
            let logs = arena.record_failure().await;
            let logs = format!("logs, once the cluster has ended: {}", logs.display());
            let again = format!(
                "again: signpost-e2e chaos --rounds 1 --seed {seed} --fault {}",
                fault.name
            );
            let what = format!("round {} (seed {seed}, {})", number + 1, fault.name);
            failure = Some(error.context(format!("{what}\n{logs}\n{again}")));
            break;
        }
    }
    if failure.is_some() {
        println!("FAILED");
    }
    summary(&faults, &ended);
    failure.map_or(Ok(()), Err)
}

fn outcome(round: &Round) -> String {
    format!(
        "rest {:>5.1} s  sent {:>5}  lost {:>3}  {}",
        round.rest.as_secs_f32(),
        round.sent,
        round.lost,
        round.story.join("; ")
    )
}

fn summary(faults: &[&Fault], ended: &[Round]) {
    println!(
        "\n{:<30} {:>6} {:>8} {:>6} {:>12} {:>12}",
        "fault", "rounds", "sent", "lost", "rest, median", "rest, most"
    );
    for fault in faults {
        let rounds = ended.iter().filter(|round| round.fault == fault.name);
        let rounds: Vec<&Round> = rounds.collect();
        if rounds.is_empty() {
            continue;
        }
        let mut rests: Vec<Duration> = rounds.iter().map(|round| round.rest).collect();
        rests.sort();
        let seconds = |rest: Option<&Duration>| {
            rest.map_or("-".into(), |rest| format!("{:.1} s", rest.as_secs_f32()))
        };
        println!(
            "{:<30} {:>6} {:>8} {:>6} {:>12} {:>12}",
            fault.name,
            rounds.len(),
            rounds.iter().map(|round| round.sent).sum::<u64>(),
            rounds.iter().map(|round| round.lost).sum::<u64>(),
            seconds(rests.get(rests.len() / 2)),
            seconds(rests.last())
        );
    }
}
