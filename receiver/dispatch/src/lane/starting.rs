//! Which delivery of a lane goes next, and whether one may.
use std::time::Duration;

use boathook_event::{Flow, Seq};

use super::{Known, Lane, State};
use crate::{BreakerState, Command, Now, keys::Turn, limits::RETRIES_IN_A_ROW_MAX};

impl Lane {
    /// Starts what may go.
    pub(super) fn start(&mut self, now: Now, out: &mut Vec<Command>) {
        while self.may_start(now.monotonic) {
            let Some(seq) = self.next(now) else { break };
            if self.end_if_over(seq, now, out) {
                continue;
            }
            let Some(known) = self.known.get_mut(&seq) else { continue };
            known.state = State::InFlight;
            self.in_flight += 1;
            self.breaker.started();
            self.rate.spend(now.monotonic, self.settings.attempts_per_minute);
            let per_tenant = self.settings.attempts_per_tenant_per_minute;
            if per_tenant.is_some() {
                self.tenants.spend(known.delivery.flow(), per_tenant, now.monotonic);
            }
            out.push(Command::Deliver {
                delivery: known.delivery.clone(),
                attempt: known.delivery.attempts + 1,
            });
        }
    }

    fn may_start(&mut self, now: Duration) -> bool {
        let may = self.starts_at().is_some_and(|at| at <= now);
        if may {
            self.breaker.admit();
        }
        may
    }

    /// From when another attempt may begin; a time that has passed: now. `None`: not before something happens.
    pub(super) fn starts_at(&self) -> Option<Duration> {
        let Self { settings, breaker, rate, .. } = self;
        let breaker = breaker.admits_at(self.in_flight, settings.concurrency.max(1))?;
        let rate = rate.next_at(settings.attempts_per_minute).unwrap_or_default();
        (!settings.suspend && !settings.paused).then_some(breaker.max(rate))
    }

    /// The next to go. What it finds on the way that must wait for others of its key is put aside.
    fn next(&mut self, now: Now) -> Option<Seq> {
        while let Some(seq) = self.candidate(now) {
            let Some(known) = self.known.get_mut(&seq) else { continue };
            let Some(key) = known.delivery.lane_key() else { return Some(seq) };
            let (bytes, tried) = (known.delivery.event.body.len(), known.delivery.due.is_some());
            match self.keys.turn(key, seq, bytes, tried) {
                Turn::Go => return Some(seq),
                Turn::Wait => known.state = State::Ready,
                Turn::Leave | Turn::Full => _ = self.leave(seq),
            }
        }
        None
    }

    /// Due retries before fresh ones, but no more than a few in a row; what is armed again after both. What is of a tenant that is at
    /// its rate is put off.
    fn candidate(&mut self, now: Now) -> Option<Seq> {
        loop {
            let due = self.waiting.first().copied().filter(|(due, _)| *due <= now.monotonic);
            // A probe tries another one than those that have failed, where there is one.
            let probes = self.breaker.state() == BreakerState::HalfOpen;
            let fresh_turn = (self.retries_in_a_row >= RETRIES_IN_A_ROW_MAX || probes)
                && self.fresh.has_turn(now.monotonic);
            if let Some((due, seq)) = due.filter(|_| !fresh_turn) {
                self.waits_no_more(due, seq);
                let Some((_, until)) = self.rests(seq, now) else {
                    self.retries_in_a_row += 1;
                    return Some(seq);
                };
                if let Some(known) = self.known.get_mut(&seq) {
                    known.state = State::Waiting(until);
                    let bytes = known.delivery.event.body.len();
                    self.wait(until, seq, bytes);
                }
                continue;
            }
            self.retries_in_a_row = 0;
            let fresh = self.fresh.pop(now.monotonic);
            let (seq, is_fresh) = (fresh.or_else(|| self.armed.pop(now.monotonic))?, fresh.is_some());
            // A read of its key may have shown it meanwhile.
            if !self.is_ready(seq) {
                continue;
            }
            let Some((flow, until)) = self.rests(seq, now) else { return Some(seq) };
            if is_fresh { &mut self.fresh } else { &mut self.armed }.rest(flow, seq, until);
        }
    }

    /// Until when it must wait, since its tenant is at its rate.
    fn rests(&self, seq: Seq, now: Now) -> Option<(Flow, Duration)> {
        let per_minute = self.settings.attempts_per_tenant_per_minute;
        per_minute?;
        let flow = self.known.get(&seq)?.delivery.flow();
        Some((flow, self.tenants.rests_until(flow, per_minute, now.monotonic)?))
    }

    pub(super) fn is_ready(&self, seq: Seq) -> bool {
        self.known.get(&seq).is_some_and(Known::is_ready)
    }
}
