//! Whether the process works: what `/healthz` and `/readyz` say.

use std::{
    sync::atomic::{AtomicU8, AtomicU64, Ordering},
    time::Duration,
};

use crate::clock;

/// How long the driver may be silent before the process counts as stuck.
const LONGEST_SILENCE: Duration = Duration::from_secs(60);

/// What the process is doing, as far as readiness goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Role {
    /// Not yet anything.
    Starting,
    /// Somebody else leads.
    Standby,
    /// Leads, and has no usable `PodNetwork` to work for.
    Idle,
    /// Leads, and still reads what there is.
    Recovering,
    /// Leads and knows all nodes and routes.
    Leading,
}

impl Role {
    const ALL: [Self; 5] = [
        Self::Starting,
        Self::Standby,
        Self::Idle,
        Self::Recovering,
        Self::Leading,
    ];
}

/// Shared signs of life.
#[derive(Debug)]
pub struct Health {
    beat: AtomicU64,
    lease_seen: AtomicU64,
    role: AtomicU8,
    lease_duration: Duration,
}

impl Health {
    /// Of a process that has just started; `lease_duration` is how old a sight of the lease may be.
    pub fn new(lease_duration: Duration) -> Self {
        Self {
            beat: AtomicU64::new(clock::now().0),
            lease_seen: AtomicU64::new(0),
            role: AtomicU8::new(Role::Starting as u8),
            lease_duration,
        }
    }

    /// The driver is alive.
    pub fn beat(&self) {
        self.beat.store(clock::now().0, Ordering::Relaxed);
    }

    /// The lease was read or written.
    pub fn lease_seen(&self) {
        self.lease_seen.store(clock::now().0, Ordering::Relaxed);
    }

    /// What the process does from now on.
    pub fn set_role(&self, role: Role) {
        self.role.store(role as u8, Ordering::Relaxed);
    }

    /// What the process does.
    pub fn role(&self) -> Role {
        let role = self.role.load(Ordering::Relaxed);
        Role::ALL
            .into_iter()
            .find(|known| *known as u8 == role)
            .unwrap_or(Role::Starting)
    }

    /// Whether the driver is alive.
    ///
    /// # Errors
    /// What is wrong, for people.
    pub fn live(&self) -> Result<(), String> {
        let silent = age(&self.beat);
        if silent > LONGEST_SILENCE {
            return Err(format!("the driver is stuck since {} s", silent.as_secs()));
        }
        Ok(())
    }

    /// Whether the API is reachable and this process either knows everything or stands by.
    ///
    /// # Errors
    /// What is missing, for people.
    pub fn ready(&self) -> Result<&'static str, String> {
        self.live()?;
        if self.lease_seen.load(Ordering::Relaxed) == 0 {
            return Err("the lease was not read yet".to_owned());
        }
        let unseen = age(&self.lease_seen);
        if unseen > self.lease_duration {
            return Err(format!(
                "the lease was last read {} s ago: the Kubernetes API cannot be reached",
                unseen.as_secs()
            ));
        }
        match self.role() {
            Role::Starting => Err("starting".to_owned()),
            Role::Recovering => Err("leads, and is reading nodes and routes".to_owned()),
            Role::Standby => Ok("stands by"),
            Role::Idle => Ok("leads, and waits for a usable PodNetwork"),
            Role::Leading => Ok("leads"),
        }
    }
}

fn age(at: &AtomicU64) -> Duration {
    clock::now().since(signpost_core::Time(at.load(Ordering::Relaxed)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_needs_a_fresh_lease_and_a_role_that_knows_everything() {
        let health = Health::new(Duration::from_secs(15));
        health.set_role(Role::Standby);
        assert!(health.ready().unwrap_err().contains("not read yet"));
        health.lease_seen();
        assert_eq!(health.ready(), Ok("stands by"));
        health.set_role(Role::Recovering);
        assert!(health.ready().is_err());
        health.set_role(Role::Leading);
        assert_eq!(health.ready(), Ok("leads"));
    }

    #[test]
    fn a_lease_not_seen_for_its_duration_makes_unready() {
        let health = Health::new(Duration::ZERO);
        health.set_role(Role::Leading);
        health.lease_seen();
        std::thread::sleep(Duration::from_millis(3));
        assert!(health.ready().unwrap_err().contains("cannot be reached"));
    }
}
