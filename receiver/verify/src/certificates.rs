//! The certificates that an endpoint's requests name, by URL: a bounded number, whatever requests name.
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use jiff::{SignedDuration, Timestamp};

use crate::{
    Diagnosis,
    certificate::Certificate,
    key_slot::{KeyDocument, KeyFormat, KeySlot, KeySource},
    limits::{CERTIFICATES_NEW_APART, CERTIFICATES_NEW_MAX, CERTIFICATES_PROVEN_MAX},
};

/// Places for certificates. Those that have proved a request stay; those that were only named make room for others, a few
/// a minute, so that whoever makes up URLs can neither push out the sender's own nor have us fetch much.
#[derive(Default)]
pub(crate) struct Certificates(RwLock<Vec<Place>>);

/// One of them.
#[derive(Clone)]
struct Place {
    slot: Arc<KeySlot>,
    named_at: Timestamp,
    /// When it proved a request last, to the minute.
    proved_at: Option<Timestamp>,
}

impl Certificates {
    /// The certificate that is published at this URL.
    ///
    /// # Errors
    /// `KeysNotThere`.
    pub(crate) fn known(&self, url: &str) -> Result<Arc<Certificate>, Diagnosis> {
        let places = self.read();
        let place = places.iter().find(|place| place.slot.source().url() == url);
        match place.and_then(|place| place.slot.document()).as_deref() {
            Some(KeyDocument::Certificate(certificate)) => Ok(Arc::clone(certificate)),
            Some(KeyDocument::KeySet(_)) | None => Err(Diagnosis::KeysNotThere),
        }
    }

    /// The place of a certificate that is not there yet, made where there is room for one. The URL is one that the scheme
    /// allows.
    pub(crate) fn lacking(&self, url: &str, now: Timestamp) -> Option<Arc<KeySlot>> {
        let mut places = self.write();
        if let Some(place) = places.iter().find(|place| place.slot.source().url() == url) {
            return place.slot.is_empty().then(|| Arc::clone(&place.slot));
        }
        let new = places.iter().filter(|place| place.proved_at.is_none());
        if new.clone().count() >= CERTIFICATES_NEW_MAX {
            let oldest = new.map(|place| place.named_at).min()?;
            if now.duration_since(oldest) < SignedDuration::try_from(CERTIFICATES_NEW_APART.std()).ok()? {
                return None;
            }
            let at = places.iter().position(|place| place.proved_at.is_none() && place.named_at == oldest)?;
            places.swap_remove(at);
        }
        let slot = Arc::new(KeySlot::new(KeySource::new(url, KeyFormat::Certificate)));
        places.push(Place { slot: Arc::clone(&slot), named_at: now, proved_at: None });
        Some(slot)
    }

    /// The certificate at this URL has proved a request.
    pub(crate) fn proved(&self, url: &str, now: Timestamp) {
        let is_noted =
            |place: &Place| place.proved_at.is_some_and(|at| at.as_second() / 60 == now.as_second() / 60);
        let own = |place: &&Place| place.slot.source().url() == url;
        if self.read().iter().find(own).is_none_or(is_noted) {
            return;
        }
        let mut places = self.write();
        places
            .iter_mut()
            .filter(|place| place.slot.source().url() == url)
            .for_each(|place| place.proved_at = Some(now));
        let proven = places.iter().filter_map(|place| place.proved_at);
        if proven.clone().count() > CERTIFICATES_PROVEN_MAX {
            let oldest = proven.min();
            places.retain(|place| place.proved_at.is_none() || place.proved_at != oldest);
        }
    }

    /// Takes the places over that have proved requests.
    pub(crate) fn take_over(&self, before: &Self) {
        let proven: Vec<Place> =
            before.read().iter().filter(|place| place.proved_at.is_some()).cloned().collect();
        let mut places = self.write();
        for place in proven {
            let own = places.iter().position(|own| own.slot.source() == place.slot.source());
            match own.and_then(|at| places.get_mut(at)) {
                Some(own) => *own = place,
                None => places.push(place),
            }
        }
    }

    /// All places.
    pub(crate) fn slots(&self) -> Vec<Arc<KeySlot>> {
        self.read().iter().map(|place| Arc::clone(&place.slot)).collect()
    }

    fn read(&self) -> RwLockReadGuard<'_, Vec<Place>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Vec<Place>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    fn urls(certificates: &Certificates) -> Vec<String> {
        let mut urls: Vec<_> =
            certificates.slots().iter().map(|slot| slot.source().url().to_owned()).collect();
        urls.sort();
        urls
    }

    #[test]
    fn a_flood_of_urls_takes_few_places_and_pushes_no_proven_one_out() {
        let certificates = Certificates::default();
        assert!(certificates.lacking("genuine", at(0)).is_some());
        certificates.proved("genuine", at(0));
        let taken = (0..1_000).filter(|url| certificates.lacking(&format!("made up {url}"), at(0)).is_some());
        assert_eq!(taken.count(), CERTIFICATES_NEW_MAX);
        assert!(certificates.lacking("made up 0", at(59)).is_some(), "the same is waited for");
        assert!(certificates.lacking("new", at(59)).is_none());
        assert!(certificates.lacking("new", at(60)).is_some());
        assert_eq!(certificates.slots().len(), CERTIFICATES_NEW_MAX + 1);
        assert!(urls(&certificates).contains(&"genuine".to_owned()));
    }

    #[test]
    fn of_more_proven_certificates_those_that_were_not_used_lately_go() {
        let certificates = Certificates::default();
        for second in 0..=CERTIFICATES_PROVEN_MAX {
            let second = i64::try_from(second).expect("a few");
            let url = format!("{second:02}");
            assert!(certificates.lacking(&url, at(second * 60)).is_some());
            certificates.proved(&url, at(second * 60));
        }
        let left = urls(&certificates);
        assert_eq!(left.len(), CERTIFICATES_PROVEN_MAX);
        assert_eq!(left.first().map(String::as_str), Some("01"));
    }
}
