//! How often and how many at once may ask: no user of the computer keeps the others, or the computer, from anything.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Callers at once, of all users and of one.
const MOST: usize = 16;
const MOST_OF_ONE: usize = 4;
/// Requests of one user that need not wait, and how soon there may be one more.
const BURST: u32 = 20;
const EVERY: Duration = Duration::from_secs(3);

/// Who asks now, and who has asked of late.
#[derive(Debug, Default)]
pub(super) struct Limits {
    users: HashMap<u32, User>,
}

#[derive(Debug)]
struct User {
    open: usize,
    left: u32,
    /// When `left` was counted.
    at: Instant,
}

impl User {
    fn refill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.at);
        let more = u32::try_from(passed.as_millis() / EVERY.as_millis()).unwrap_or(u32::MAX);
        self.left = self.left.saturating_add(more).min(BURST);
        // What is left of the time counts for the next one.
        self.at += EVERY * more.min(1 << 20);
        if self.left == BURST {
            self.at = now;
        }
    }
}

impl Limits {
    /// Whether this user may be heard now; then [`Limits::leave`] has to follow.
    pub(super) fn admit(&mut self, user: u32, now: Instant) -> bool {
        // Who has not asked for long is forgotten.
        for user in self.users.values_mut() {
            user.refill(now);
        }
        self.users
            .retain(|_, user| user.open > 0 || user.left < BURST);
        let open: usize = self.users.values().map(|user| user.open).sum();
        let user = self.users.entry(user).or_insert(User {
            open: 0,
            left: BURST,
            at: now,
        });
        if open >= MOST || user.open >= MOST_OF_ONE || user.left == 0 {
            return false;
        }
        user.open += 1;
        user.left -= 1;
        true
    }

    /// A user who was admitted has been answered.
    pub(super) fn leave(&mut self, user: u32) {
        if let Some(user) = self.users.get_mut(&user) {
            user.open = user.open.saturating_sub(1);
        }
    }

    /// Nobody is being answered.
    pub(super) fn is_idle(&self) -> bool {
        self.users.values().all(|user| user.open == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_who_asks_without_end_waits_and_keeps_nobody_else_from_asking() {
        let mut limits = Limits::default();
        let start = Instant::now();
        let mut ask = |user, at: Duration| {
            let heard = limits.admit(user, start + at);
            if heard {
                limits.leave(user);
            }
            heard
        };
        let heard = (0..100).filter(|_| ask(1, Duration::ZERO)).count();
        assert_eq!(heard, BURST as usize);
        assert!(ask(2, Duration::ZERO));
        assert!(!ask(1, EVERY / 2));
        assert!(ask(1, EVERY));
        assert!(!ask(1, EVERY * 3 / 2));
        assert!(ask(1, EVERY * 2));
        let later = EVERY * 1000;
        assert_eq!((0..100).filter(|_| ask(1, later)).count(), BURST as usize);
    }

    #[test]
    fn connections_that_are_kept_open_are_few() {
        let mut limits = Limits::default();
        let now = Instant::now();
        let open = (0..100).filter(|_| limits.admit(1, now)).count();
        assert_eq!(open, MOST_OF_ONE);
        let others = (2..100).filter(|user| limits.admit(*user, now)).count();
        assert_eq!(others, MOST - MOST_OF_ONE);
        assert!(!limits.is_idle());
        limits.leave(1);
        assert!(limits.admit(200, now));
    }
}
