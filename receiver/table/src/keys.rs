//! The values of Secrets, by the names under which objects refer to them.
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use zeroize::Zeroizing;

/// Secret values; zeroed when dropped, never shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Keys(BTreeMap<(String, String), Data>);

/// One Secret's values by key.
pub(crate) type Data = BTreeMap<String, Zeroizing<Vec<u8>>>;

impl Keys {
    /// Takes one Secret: all its keys and their values.
    pub fn insert(&mut self, namespace: &str, name: &str, data: impl IntoIterator<Item = (String, Vec<u8>)>) {
        let entry = self.0.entry((namespace.to_owned(), name.to_owned())).or_default();
        entry.extend(data.into_iter().map(|(key, value)| (key, Zeroizing::new(value))));
    }

    /// Whether there is such a Secret.
    pub fn contains(&self, namespace: &str, name: &str) -> bool {
        self.0.contains_key(&(namespace.to_owned(), name.to_owned()))
    }

    /// These of a namespace's values alone: Secret and key.
    #[must_use]
    pub fn only(&self, namespace: &str, named: &BTreeSet<(&str, &str)>) -> Self {
        let mut only = self.clone();
        only.0.retain(|(of, name), data| {
            data.retain(|key, _| of == namespace && named.contains(&(name.as_str(), key.as_str())));
            !data.is_empty()
        });
        only
    }

    /// All but these of a namespace's values. A Secret of which nothing is left stays known.
    #[must_use]
    pub fn without(&self, namespace: &str, named: &BTreeSet<(&str, &str)>) -> Self {
        let mut others = self.clone();
        for ((of, name), data) in &mut others.0 {
            data.retain(|key, _| of != namespace || !named.contains(&(name.as_str(), key.as_str())));
        }
        others
    }

    /// How many bytes they take in a [`Document`](crate::Document), about: Base64 and a name for each value.
    pub fn document_bytes(&self) -> usize {
        let values = self.0.values().flatten();
        values.map(|(key, value)| key.len() + value.len().div_ceil(3) * 4).sum()
    }

    /// The Secrets of a namespace, by name.
    pub(crate) fn of<'k>(&'k self, namespace: &'k str) -> impl Iterator<Item = (&'k str, &'k Data)> {
        let here = self.0.iter().filter(move |((of, _), _)| of == namespace);
        here.map(|((_, name), data)| (name.as_str(), data))
    }

    /// The value, or what is missing: the Secret or the key in it.
    pub(crate) fn value(
        &self,
        namespace: &str,
        name: &str,
        key: &str,
    ) -> Result<&Zeroizing<Vec<u8>>, String> {
        let secret = self
            .0
            .get(&(namespace.to_owned(), name.to_owned()))
            .ok_or_else(|| format!("there is no Secret {namespace}/{name}: create it"))?;
        secret.get(key).ok_or_else(|| {
            let has: Vec<&str> = secret.keys().map(String::as_str).collect();
            format!("the Secret {namespace}/{name} has no key `{key}`, only: {}", has.join(", "))
        })
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
