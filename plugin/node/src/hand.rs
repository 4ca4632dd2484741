//! The hand by which the node is changed. On trial it only notes what it would do, so that a dry run goes
//! the same ways as the agent.

/// Makes changes, or on trial none, and notes them.
#[derive(Debug)]
pub struct Hand {
    acts: bool,
    changes: Vec<String>,
}

impl Hand {
    /// One that acts.
    pub fn real() -> Self {
        Self {
            acts: true,
            changes: Vec::new(),
        }
    }

    /// One that changes nothing.
    pub fn on_trial() -> Self {
        Self {
            acts: false,
            changes: Vec::new(),
        }
    }

    /// Whether it changes anything.
    pub fn acts(&self) -> bool {
        self.acts
    }

    /// Makes a change by `act` and notes it. `what` says it as an order, such as "remove /etc/x"; lines
    /// after the first are details.
    pub fn make<E>(
        &mut self,
        what: impl Into<String>,
        act: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), E> {
        if self.acts {
            act()?;
        }
        self.changes.push(what.into());
        Ok(())
    }

    /// Does what is not worth a line: what is there already in most cases.
    pub fn quietly<T, E>(&mut self, act: impl FnOnce() -> Result<T, E>) -> Result<(), E> {
        if self.acts {
            act()?;
        }
        Ok(())
    }

    /// The changes since they were last taken.
    pub fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.changes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hand_on_trial_notes_what_a_real_one_does() {
        let mut done = 0;
        for mut hand in [Hand::real(), Hand::on_trial()] {
            let outcome = hand.make("count", || {
                done += 1;
                Ok::<(), ()>(())
            });
            assert_eq!((outcome, hand.take()), (Ok(()), vec!["count".to_owned()]));
        }
        assert_eq!(done, 1);
        let mut hand = Hand::real();
        assert_eq!(hand.make("fail", || Err(1)), Err(1));
        assert!(hand.take().is_empty(), "what failed is no change");
    }
}
