//! One of several operators leads: by a Lease that it renews.
//!
//! Writes carry the resourceVersion, so that of two who take an expired lease one is refused. A leader that has not renewed
//! for [`LEASE_RENEWED_WITHIN`] stops by itself, before anybody else may begin.
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{
    api::coordination::v1::{Lease as Object, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
};
use kube::{Api, Client, api::PostParams};

use crate::limits::{LEASE_LOOK, LEASE_RENEWED_WITHIN, LEASE_TIME};

const NAME: &str = "boathook-operator";

/// The lease, and who wants it.
pub(crate) struct Lease {
    api: Api<Object>,
    identity: String,
}

impl Lease {
    pub(crate) fn new(client: Client, namespace: &str, identity: &str) -> Self {
        Self { api: Api::namespaced(client, namespace), identity: identity.to_owned() }
    }

    /// Returns when this one leads.
    pub(crate) async fn take(&self) {
        loop {
            match self.renew().await {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => tracing::warn!(%error, "cannot look for the lease; trying again"),
            }
            tokio::time::sleep(LEASE_LOOK).await;
        }
    }

    /// Renews it, and returns when that has failed for too long.
    pub(crate) async fn lost(&self) {
        let mut renewed = Instant::now();
        while renewed.elapsed() < LEASE_RENEWED_WITHIN {
            tokio::time::sleep(LEASE_LOOK).await;
            match tokio::time::timeout(LEASE_LOOK, self.renew()).await {
                Ok(Ok(true)) => renewed = Instant::now(),
                Ok(Ok(false)) => return,
                Ok(Err(error)) => tracing::warn!(%error, "cannot renew the lease; trying again"),
                Err(_) => tracing::warn!("renewing the lease takes too long; trying again"),
            }
        }
    }

    /// Gives it up, so that another one need not wait.
    pub(crate) async fn release(&self) {
        let release = async {
            let Some(mut lease) = self.api.get_opt(NAME).await? else { return Ok(()) };
            let spec = lease.spec.get_or_insert_default();
            if spec.holder_identity.as_deref() == Some(&*self.identity) {
                spec.holder_identity = None;
                self.api.replace(NAME, &PostParams::default(), &lease).await?;
            }
            Ok::<_, kube::Error>(())
        };
        if let Ok(Err(error)) = tokio::time::timeout(LEASE_LOOK, release).await {
            tracing::warn!(%error, "cannot give up the lease; it ends by itself");
        }
    }

    /// Takes or renews it; false when another one has it.
    async fn renew(&self) -> Result<bool, kube::Error> {
        let now = Timestamp::now();
        let Some(mut lease) = self.api.get_opt(NAME).await? else {
            let metadata = ObjectMeta { name: Some(NAME.into()), ..ObjectMeta::default() };
            let spec = self.spec(&LeaseSpec::default(), now);
            let made = Object { metadata, spec: Some(spec) };
            return won(self.api.create(&PostParams::default(), &made).await);
        };
        let spec = lease.spec.get_or_insert_default();
        if !may_take(spec, &self.identity, now) {
            return Ok(false);
        }
        *spec = self.spec(spec, now);
        won(self.api.replace(NAME, &PostParams::default(), &lease).await)
    }

    fn spec(&self, before: &LeaseSpec, now: Timestamp) -> LeaseSpec {
        let ours = before.holder_identity.as_deref() == Some(&*self.identity);
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(LEASE_TIME.as_secs()).ok(),
            acquire_time: if ours { before.acquire_time.clone() } else { Some(MicroTime(now)) },
            renew_time: Some(MicroTime(now)),
            lease_transitions: Some(before.lease_transitions.unwrap_or(0) + i32::from(!ours)),
            ..LeaseSpec::default()
        }
    }
}

/// Whether it is ours, nobody's, or expired.
fn may_take(spec: &LeaseSpec, identity: &str, now: Timestamp) -> bool {
    let holder = spec.holder_identity.as_deref().filter(|holder| !holder.is_empty());
    let lasts = SignedDuration::from_secs(spec.lease_duration_seconds.unwrap_or(0).into());
    let expired = spec.renew_time.as_ref().is_none_or(|renewed| now.duration_since(renewed.0) > lasts);
    holder.is_none_or(|holder| holder == identity) || expired
}

/// A conflict means that somebody else was faster.
fn won(written: Result<Object, kube::Error>) -> Result<bool, kube::Error> {
    match written {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_taken_when_it_is_ours_nobodys_or_expired() {
        let now = Timestamp::from_second(1_000).unwrap();
        let spec = |holder: Option<&str>, renewed: i64| LeaseSpec {
            holder_identity: holder.map(Into::into),
            lease_duration_seconds: Some(15),
            renew_time: Some(MicroTime(Timestamp::from_second(renewed).unwrap())),
            ..LeaseSpec::default()
        };
        for (spec, expected) in [
            (spec(Some("a"), 999), true),
            (spec(Some("b"), 999), false),
            (spec(Some("b"), 985), false),
            (spec(Some("b"), 984), true),
            (spec(None, 999), true),
            (spec(Some(""), 999), true),
            (LeaseSpec::default(), true),
        ] {
            assert_eq!(may_take(&spec, "a", now), expected, "{spec:?}");
        }
    }
}
